// SPDX-License-Identifier: Apache-2.0
// Maildir delivery on a real file system: one file per Message-ID whatever happened before, and
// what full disks and unusable directories give.
#include "worker/mail/maildir.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mount.h>

#include <boost/asio.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/run_awaitable.h"

namespace edged::mail {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory))
    names.push_back(entry.path().filename());
  return names;
}

class MaildirTransportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "edged-maildir-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    path_ = root_ / "some" / "mail";
  }
  void TearDown() override { fs::remove_all(root_); }

  Message message(const std::string& id = "") {
    const std::string message_id = (id.empty() ? "watch.seat_available.42" : id) + "@example.org";
    return {message_id,
            "notify@example.org",
            "student@example.edu",
            "Subject: Seat open\r\nMessage-ID: <" + message_id + ">\r\n\r\nA seat is open.\r\n"};
  }

  Status deliver(const Message& mail, Attempt attempt = Attempt::kFirst) {
    return MaildirTransport(path_).store(mail, attempt);
  }

  static Parcel parcel(const Message& mail) { return {mail.message_id, {mail}, {}}; }

  fs::path root_, path_;
};

TEST_F(MaildirTransportTest, WritesTheWholeMessageIntoNew) {
  const Message mail = message();
  boost::asio::io_context io(1);
  MaildirTransport transport(path_);
  const Delivery delivery =
      test::run_awaitable(io, transport.deliver(parcel(mail), Attempt::kFirst));
  ASSERT_EQ(delivery.outcome, Delivery::Outcome::kAccepted) << delivery.detail;
  const std::string name = maildir_file_name(mail.message_id);
  EXPECT_EQ(names_in(path_ / "new"), std::vector<std::string>{name});
  EXPECT_TRUE(names_in(path_ / "tmp").empty());
  EXPECT_TRUE(names_in(path_ / "cur").empty());
  std::ifstream file(path_ / "new" / name, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), mail.content);
}

TEST_F(MaildirTransportTest, LeavesTheEventLoopWhileItWaitsForTheDisk) {
  boost::asio::io_context io(1);
  MaildirTransport transport(path_);
  const Message mail = message();
  bool others_ran = false;
  const auto deliver_and_look = [&]() -> boost::asio::awaitable<Delivery> {
    // Runs only if the coroutine below gives the loop up.
    boost::asio::post(io, [&] { others_ran = true; });
    Delivery delivery = co_await transport.deliver(parcel(mail), Attempt::kFirst);
    EXPECT_TRUE(others_ran) << "the delivery held the event loop";
    co_return delivery;
  };
  const Delivery delivery = test::run_awaitable(io, deliver_and_look());
  EXPECT_EQ(delivery.outcome, Delivery::Outcome::kAccepted) << delivery.detail;
  EXPECT_EQ(names_in(path_ / "new").size(), 1u);
}

TEST_F(MaildirTransportTest, SeveralDeliveriesRunAtOnceUpToTheBound) {
  constexpr int kBound = 8;
  boost::asio::io_context io(1);
  MaildirTransport transport(path_, {.threads = 3, .deliveries_max = kBound});
  std::vector<Delivery> ended;
  for (int i = 0; i < kBound + 2; ++i) {
    boost::asio::co_spawn(
        io,
        transport.deliver(parcel(message("m" + std::to_string(i))), Attempt::kFirst),
        [&ended](std::exception_ptr error, Delivery delivery) {
          EXPECT_FALSE(error);
          ended.push_back(std::move(delivery));
        });
  }
  io.run();
  ASSERT_EQ(ended.size(), kBound + 2u);
  int accepted = 0;
  for (const Delivery& delivery : ended) {
    if (delivery.outcome == Delivery::Outcome::kAccepted) {
      ++accepted;
    } else {
      EXPECT_EQ(delivery.outcome, Delivery::Outcome::kTemporary) << delivery.detail;
    }
  }
  EXPECT_EQ(accepted, kBound);
  EXPECT_EQ(names_in(path_ / "new").size(), static_cast<std::size_t>(kBound));
  EXPECT_TRUE(names_in(path_ / "tmp").empty());
  EXPECT_EQ(test::run_awaitable(io, transport.deliver(parcel(message()), Attempt::kFirst)).outcome,
            Delivery::Outcome::kAccepted)
      << "the bound is on those under way";
}

TEST_F(MaildirTransportTest, DeliveriesUnderWayAreOnTheDiskWhenTheTransportIsGone) {
  boost::asio::io_context io(1);
  {
    MaildirTransport transport(path_, {.threads = 1});
    for (int i = 0; i < 20; ++i) {
      boost::asio::co_spawn(
          io,
          transport.deliver(parcel(message("m" + std::to_string(i))), Attempt::kFirst),
          [](std::exception_ptr, Delivery) {});
    }
    io.poll();  // begins them
  }
  EXPECT_EQ(names_in(path_ / "new").size(), 20u);
  EXPECT_TRUE(names_in(path_ / "tmp").empty());
}

TEST_F(MaildirTransportTest, ACancelledDeliveryIsCompleted) {
  boost::asio::io_context io(1);
  MaildirTransport transport(path_, {.threads = 1});
  boost::asio::cancellation_signal cancel;
  bool has_ended = false;
  boost::asio::co_spawn(
      io,
      transport.deliver(parcel(message()), Attempt::kFirst),
      boost::asio::bind_cancellation_slot(cancel.slot(),
                                          [&](std::exception_ptr, Delivery) { has_ended = true; }));
  boost::asio::post(io, [&cancel] { cancel.emit(boost::asio::cancellation_type::all); });
  io.run();
  EXPECT_TRUE(has_ended);
  EXPECT_EQ(names_in(path_ / "new").size(), 1u);
  EXPECT_TRUE(names_in(path_ / "tmp").empty());
}

TEST_F(MaildirTransportTest, KeepsOneFilePerMessageId) {
  for (const Attempt attempt : {Attempt::kFirst, Attempt::kRepeated, Attempt::kFirst}) {
    EXPECT_TRUE(deliver(message("a.seat_available.1"), attempt).ok());
    EXPECT_TRUE(deliver(message("a.seat_available.10"), attempt).ok());
  }
  EXPECT_EQ(names_in(path_ / "new").size(), 2u);
  EXPECT_TRUE(names_in(path_ / "tmp").empty());
}

TEST_F(MaildirTransportTest, FileThatIsThereIsNotOverwritten) {
  const Message mail = message();
  const fs::path file = path_ / "new" / maildir_file_name(mail.message_id);
  ASSERT_TRUE(MaildirTransport(path_).prepare().ok());
  std::ofstream(file) << "of an earlier attempt";
  EXPECT_TRUE(deliver(mail).ok());
  std::ifstream found(file, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(found), {}), "of an earlier attempt");
  EXPECT_TRUE(names_in(path_ / "tmp").empty());
}

// It would read a maildir that nobody empties once for each mail.
TEST_F(MaildirTransportTest, FirstAttemptDoesNotReadTheMaildir) {
  const Message mail = message();
  ASSERT_TRUE(MaildirTransport(path_).prepare().ok());
  std::ofstream(path_ / "cur" / (maildir_file_name(mail.message_id) + ":2,S")) << "seen";
  EXPECT_TRUE(deliver(mail, Attempt::kFirst).ok());
  EXPECT_EQ(names_in(path_ / "new").size(), 1u);
}

TEST_F(MaildirTransportTest, LeavesAloneWhatAReaderMoved) {
  for (const char* flags : {"", ":2,", ":2,FS", ",S=123:2,S"}) {
    const Message mail = message("a.seat_available." + std::to_string(std::strlen(flags)));
    const std::string name = maildir_file_name(mail.message_id);
    ASSERT_TRUE(deliver(mail).ok());
    fs::rename(path_ / "new" / name, path_ / "cur" / (name + flags));
    EXPECT_TRUE(deliver(mail, Attempt::kRepeated).ok());
    EXPECT_TRUE(names_in(path_ / "new").empty()) << flags;
  }
  EXPECT_EQ(names_in(path_ / "cur").size(), 4u);
}

TEST_F(MaildirTransportTest, LeftoverOfACrashDoesNotMatter) {
  const Message mail = message();
  ASSERT_TRUE(MaildirTransport(path_).prepare().ok());
  std::ofstream(path_ / "tmp" / (maildir_file_name(mail.message_id) + ".1.0")) << "half";
  EXPECT_TRUE(deliver(mail).ok());
  EXPECT_EQ(names_in(path_ / "new").size(), 1u);
}

TEST_F(MaildirTransportTest, SimultaneousDeliveriesKeepOneFile) {
  const Message mail = message();
  std::vector<std::thread> threads;
  std::vector<Status> results(8);
  for (auto& result : results) {
    threads.emplace_back(
        [this, &mail, &result] { result = MaildirTransport(path_).store(mail, Attempt::kFirst); });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_TRUE(result.ok()) << result.to_string();
  EXPECT_EQ(names_in(path_ / "new").size(), 1u);
  EXPECT_TRUE(names_in(path_ / "tmp").empty());
}

TEST_F(MaildirTransportTest, UnusableDirectoryIsNamed) {
  std::ofstream(root_ / "some") << "a file where a directory should be";
  const Status blocked = deliver(message());
  EXPECT_EQ(blocked.code(), Code::kIoError);
  EXPECT_NE(blocked.message().find("\"" + (root_ / "some").string()), std::string::npos)
      << blocked.message();
  path_ = "/proc/edged-mail";  // even root cannot write there
  const Status denied = deliver(message());
  EXPECT_EQ(denied.code(), Code::kIoError);
  EXPECT_NE(denied.message().find("\"/proc/edged-mail\""), std::string::npos) << denied.message();
}

TEST_F(MaildirTransportTest, FullDiskIsDiskFullAndLaterDeliveryWorks) {
  fs::create_directories(path_);
  if (::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "no tmpfs may be mounted here: " << std::strerror(errno);
  }
  ASSERT_TRUE(MaildirTransport(path_).prepare().ok());
  std::ofstream ballast(path_ / "ballast");
  ballast << std::string(128 * 1024, 'x') << std::flush;
  const Status full = deliver(message());
  EXPECT_EQ(full.code(), Code::kDiskFull) << full.to_string();
  EXPECT_TRUE(names_in(path_ / "tmp").empty());
  EXPECT_TRUE(names_in(path_ / "new").empty());
  ballast.close();
  fs::remove(path_ / "ballast");
  EXPECT_TRUE(deliver(message()).ok());
  EXPECT_EQ(names_in(path_ / "new").size(), 1u);
  EXPECT_EQ(::umount(path_.c_str()), 0);
}

TEST(MaildirFileNameTest, IsSafeAndDistinguishes) {
  const std::string name = maildir_file_name("../a:b/c@d");
  EXPECT_EQ(name.find_first_of("/:"), std::string::npos);
  EXPECT_TRUE(name.starts_with("edged."));
  EXPECT_NE(maildir_file_name("a/b"), maildir_file_name("a:b"));
  EXPECT_NE(maildir_file_name(std::string(200, 'a') + "1"),
            maildir_file_name(std::string(200, 'a') + "2"));
  EXPECT_LT(maildir_file_name(std::string(1000, 'a')).size(), 200u);
}

}  // namespace
}  // namespace edged::mail
