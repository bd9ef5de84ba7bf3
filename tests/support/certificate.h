// SPDX-License-Identifier: Apache-2.0
// A certificate that vouches for itself, made for one test.
#pragma once

#include <string>

namespace edged::test {

struct CertificateFiles {
  std::string certificate;  // also what a client is to trust
  std::string key;          // mode 0600
};

// Writes DIRECTORY/NAME.pem and DIRECTORY/NAME.key, for `names` as OpenSSL writes them:
// "DNS:localhost,IP:127.0.0.1". Aborts on failure.
CertificateFiles make_certificate(const std::string& directory,
                                  const std::string& name,
                                  const std::string& names = "DNS:localhost,IP:127.0.0.1");

}  // namespace edged::test
