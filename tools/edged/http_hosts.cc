// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/http_hosts.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "proto/http/own_host.h"
#include "proto/net/tls.h"

namespace edged::config {
namespace {

// A numeric address is accepted anyway.
void add_host(const std::optional<http::Authority>& authority, std::vector<std::string>& hosts) {
  if (authority && !authority->bracketed) hosts.push_back(authority->host);
}

}  // namespace

std::vector<std::string> node_http_hosts(const Config& config) {
  std::vector<std::string> hosts = config.node.http_hosts;
  add_host(http::parse_authority(net::split_transport(config.node.http).host_port), hosts);
  return hosts;
}

std::vector<std::string> node_binding_hosts(const Config& config) {
  std::vector<std::string> hosts = config.node.http_hosts;
  if (config.node.binding.starts_with("unix:")) return hosts;
  add_host(http::parse_authority(net::split_transport(config.node.binding).host_port), hosts);
  return hosts;
}

std::vector<std::string> worker_http_hosts(const Config& config) {
  std::vector<std::string> hosts = config.worker.http_hosts;
  add_host(http::parse_authority(net::split_transport(config.worker.http).host_port), hosts);
  const auto url = boost::urls::parse_uri(config.worker.public_url);
  if (url) add_host(http::parse_authority(std::string(url->encoded_host())), hosts);
  return hosts;
}

}  // namespace edged::config
