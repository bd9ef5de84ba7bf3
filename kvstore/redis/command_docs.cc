// SPDX-License-Identifier: Apache-2.0
// See command_docs.h.
#include "kvstore/redis/command_docs.h"

#include <algorithm>
#include <iterator>

namespace edged::redis {
namespace {

constexpr CommandDoc kDocs[] = {
    {"append", "string", "2.0.0", "Appends to a value."},
    {"auth", "connection", "1.0.0", "Shows a token, as the password."},
    {"client",
     "connection",
     "2.4.0",
     "About the clients: ID, INFO, LIST, KILL, SETNAME, GETNAME, SETINFO."},
    {"command", "server", "2.8.13", "Describes the commands."},
    {"config", "server", "2.0.0", "Reads settings."},
    {"copy", "generic", "6.2.0", "Copies a key."},
    {"discard", "transactions", "2.0.0", "Forgets what MULTI has queued."},
    {"dbsize", "server", "1.0.0", "The number of keys."},
    {"decr", "string", "1.0.0", "Subtracts 1."},
    {"decrby", "string", "1.0.0", "Subtracts a number."},
    {"del", "generic", "1.0.0", "Deletes keys."},
    {"delifeq", "string", "9.0.0", "Deletes a key that has this value (Valkey)."},
    {"echo", "connection", "1.0.0", "Answers the text."},
    {"edged.fresh", "generic", "7.0.15", "How fresh a mirrored key is."},
    {"edged.get", "string", "7.0.15", "The value of a mirrored key that is as fresh as asked for."},
    {"exec", "transactions", "1.2.0", "Executes what MULTI has queued."},
    {"exists", "generic", "1.0.0", "How many of the keys exist."},
    {"expire", "generic", "1.0.0", "Sets the time-to-live in seconds."},
    {"expireat", "generic", "1.2.0", "Sets the expiry as a Unix time."},
    {"expiretime", "generic", "7.0.0", "The expiry as a Unix time."},
    {"flushall", "server", "1.0.0", "Deletes all keys of the databases of this address."},
    {"flushdb", "server", "1.0.0", "Deletes all keys of the database."},
    {"get", "string", "1.0.0", "The value of a key."},
    {"getdel", "string", "6.2.0", "The value of a key, which is deleted."},
    {"getex", "string", "6.2.0", "The value of a key, whose expiry is set."},
    {"getrange", "string", "2.4.0", "A part of a value."},
    {"getset", "string", "1.0.0", "The value of a key, which gets another."},
    {"hello", "connection", "6.0.0", "Chooses the version of the protocol."},
    {"incr", "string", "1.0.0", "Adds 1."},
    {"incrby", "string", "1.0.0", "Adds a number."},
    {"incrbyfloat", "string", "2.6.0", "Adds a number with a fraction."},
    {"info", "server", "1.0.0", "Figures of the server."},
    {"keys", "generic", "1.0.0", "The keys that match a pattern."},
    {"mget", "string", "1.0.0", "The values of keys."},
    {"mset", "string", "1.0.1", "Sets keys."},
    {"msetnx", "string", "1.0.1", "Sets keys if none of them exists."},
    {"multi", "transactions", "1.2.0", "Queues the commands that follow."},
    {"object", "generic", "2.2.3", "How a value is represented: ENCODING, REFCOUNT."},
    {"persist", "generic", "2.2.0", "Removes the expiry."},
    {"pexpire", "generic", "2.6.0", "Sets the time-to-live in milliseconds."},
    {"pexpireat", "generic", "2.6.0", "Sets the expiry as a Unix time in milliseconds."},
    {"pexpiretime", "generic", "7.0.0", "The expiry as a Unix time in milliseconds."},
    {"ping", "connection", "1.0.0", "Answers PONG."},
    {"psetex", "string", "2.6.0", "Sets a key with a time-to-live in milliseconds."},
    {"psubscribe", "pubsub", "2.0.0", "Listens to the channels that match patterns."},
    {"pttl", "generic", "2.6.0", "The time-to-live in milliseconds."},
    {"publish", "pubsub", "2.0.0", "Sends a message to a channel."},
    {"pubsub", "pubsub", "2.8.0", "Which channels there are: CHANNELS, NUMSUB, NUMPAT."},
    {"punsubscribe", "pubsub", "2.0.0", "Ends PSUBSCRIBE."},
    {"quit", "connection", "1.0.0", "Ends the connection."},
    {"randomkey", "generic", "1.0.0", "Some key."},
    {"rename", "generic", "1.0.0", "Renames a key."},
    {"renamenx", "generic", "1.0.0", "Renames a key if the other one does not exist."},
    {"reset", "connection", "6.2.0", "Makes the connection as new."},
    {"scan", "generic", "2.8.0", "Keys, page by page."},
    {"select", "connection", "1.0.0", "Chooses the database."},
    {"set", "string", "1.0.0", "Sets a key."},
    {"setex", "string", "2.0.0", "Sets a key with a time-to-live in seconds."},
    {"setnx", "string", "1.0.0", "Sets a key if it does not exist."},
    {"setrange", "string", "2.2.0", "Overwrites a part of a value."},
    {"strlen", "string", "2.2.0", "The size of a value."},
    {"subscribe", "pubsub", "2.0.0", "Listens to channels."},
    {"substr", "string", "1.0.0", "A part of a value: GETRANGE."},
    {"time", "server", "2.6.0", "The time of the server."},
    {"touch", "generic", "3.2.1", "How many of the keys exist."},
    {"ttl", "generic", "1.0.0", "The time-to-live in seconds."},
    {"type", "generic", "1.0.0", "The type: string or none."},
    {"unsubscribe", "pubsub", "2.0.0", "Ends SUBSCRIBE."},
    {"unwatch", "transactions", "2.2.0", "Watches no key any more."},
    {"unlink", "generic", "4.0.0", "Deletes keys."},
    {"wait", "generic", "3.0.0", "Answers 0: there are no replicas."},
    {"watch", "transactions", "2.2.0", "Lets EXEC do nothing if one of the keys changes."},
    {"waitaof", "generic", "7.2.0", "Waits until earlier writes are on disk."},
};

}  // namespace

CommandDoc doc_of(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kDocs), std::end(kDocs), [name](const CommandDoc& one) {
        return one.name == name;
      });
  return found == std::end(kDocs) ? CommandDoc{name, "generic", "", ""} : *found;
}

}  // namespace edged::redis
