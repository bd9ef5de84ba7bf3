// SPDX-License-Identifier: Apache-2.0
// See certificate.h.
#include "tests/support/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace edged::test {
namespace {

void need(bool done, const char* what) {
  if (!done) {
    std::fprintf(stderr, "could not make a certificate: %s\n", what);
    std::abort();
  }
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open_for_writing(const std::string& path) {
  File file(std::fopen(path.c_str(), "w"), &std::fclose);
  need(file != nullptr, path.c_str());
  return file;
}

}  // namespace

CertificateFiles make_certificate(const std::string& directory,
                                  const std::string& name,
                                  const std::string& names) {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(), &X509_free);
  need(key && certificate, "memory");
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 24 * 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto* title = reinterpret_cast<const unsigned char*>(name.c_str());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, title, -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  X509_EXTENSION* alternative =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  need(alternative != nullptr, "its names");
  X509_add_ext(certificate.get(), alternative, -1);
  X509_EXTENSION_free(alternative);
  need(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0, "its signature");

  const CertificateFiles files{directory + "/" + name + ".pem", directory + "/" + name + ".key"};
  need(PEM_write_X509(open_for_writing(files.certificate).get(), certificate.get()) == 1, "file");
  const File key_file = open_for_writing(files.key);
  need(::chmod(files.key.c_str(), 0600) == 0, "its mode");
  need(PEM_write_PrivateKey(key_file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
       "key");
  return files;
}

}  // namespace edged::test
