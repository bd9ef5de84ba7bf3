# SPDX-License-Identifier: Apache-2.0
# A Worker under workerd whose KV binding is a namespace of an edged node:  workerd serve config.capnp
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),

    # One service for each namespace: the same address, another X-KV-Namespace (id or title).
    # A unix socket is (address = "unix:/run/edged/binding.sock", …).
    (name = "kv", external = (
      address = "127.0.0.1:4782",
      http = (
        style = host,
        injectRequestHeaders = [
          (name = "X-KV-Namespace", value = "06779da6940b431db6e566b4846d64db"),
          # A node with tokens wants one too. Keep the file readable by workerd's user only.
          # (name = "Authorization", value = "Bearer TOKEN"),
        ]))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  bindings = [(name = "KV", kvNamespace = "kv")],
);
