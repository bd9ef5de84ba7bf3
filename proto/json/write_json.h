// SPDX-License-Identifier: Apache-2.0
// JSON values as text, the one way in which all programs write them. Boost.JSON's own serializer
// writes the number 1.027 as 1.027E0, which is valid JSON but surprises people and their scripts.
// The tree lint refuses calls of that serializer outside of this folder. Pure; any thread.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

namespace edged {

// Compact JSON. A number that is no integer has its shortest decimal form that reads back the same:
// "1.027", "0.000001", "250"; below 1e-6 and from 1e21 on with an exponent, as JavaScript does it.
// NaN and the infinities, which JSON does not have, are null.
std::string write_json(const boost::json::value& value);
std::string write_json(const boost::json::object& object);
std::string write_json(const boost::json::array& array);

// A JSON string: quoted and escaped.
std::string write_json_string(std::string_view text);

// A number by the rule of write_json().
std::string write_json_number(double number);

}  // namespace edged
