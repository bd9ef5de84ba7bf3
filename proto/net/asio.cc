// SPDX-License-Identifier: Apache-2.0
// The one translation unit that compiles Asio's own code (BOOST_ASIO_SEPARATE_COMPILATION), so that
// every other file that includes Asio compiles declarations only.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
