// SPDX-License-Identifier: Apache-2.0
// The HTML of a notification: colours stand on the elements, because some programs drop the style
// sheet; the style sheet adds the dark ones. A layout of tables, which all programs know.
#include "worker/class_monitor/notification_text.h"
#include "worker/mail/mime.h"

namespace edged::class_monitor {
namespace {

constexpr std::string_view kHead =
    R"(<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<style>
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
.page { background: #16181d !important; }
.card { background: #22252c !important; border-color: #383d47 !important; }
.ink { color: #f1f3f6 !important; }
.soft { color: #a9b1bd !important; }
.news { background: #12382a !important; color: #8ce0b4 !important; }
.rule { border-color: #383d47 !important; }
a.button { background: #6ea8ff !important; color: #0b1526 !important; }
}
</style>
)";

constexpr std::string_view kFont =
    "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

void append_row(std::string& out, const FactLine& line) {
  out.append(
         R"(<tr><th class="soft rule" align="left" valign="top" style="padding:9px 12px 9px 0;)")
      .append("border-top:1px solid #e3e6ea;color:#5b6470;font-weight:normal;white-space:nowrap\">")
      .append(mail::html_escape(line.label))
      .append(R"(</th><td class="ink rule" valign="top" style="padding:9px 0;)")
      .append("border-top:1px solid #e3e6ea;color:#1b1f24;word-break:break-word\">")
      .append(mail::html_escape(line.value))
      .append("</td></tr>\n");
}

void append_button(std::string& out, const std::string& url) {
  out.append("<p style=\"margin:20px 0 0\"><a class=\"button\" href=\"")
      .append(mail::html_escape(url))
      .append("\" style=\"display:inline-block;padding:11px 18px;border-radius:8px;")
      .append("background:#1a56c4;color:#ffffff;text-decoration:none;font-weight:600\">")
      .append("Your watches</a></p>\n");
}

}  // namespace

std::string html_part(const NotificationText& text) {
  std::string out = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n";
  out.append(kHead).append("<title>").append(mail::html_escape(text.subject));
  out.append("</title>\n</head>\n<body class=\"page\" style=\"margin:0;padding:0;")
      .append("background:#f3f4f6;-webkit-text-size-adjust:100%\">\n")
      .append(R"(<table role="presentation" class="page" width="100%" cellpadding="0" )")
      .append("cellspacing=\"0\" style=\"background:#f3f4f6\"><tr>")
      .append("<td align=\"center\" style=\"padding:20px 12px\">\n")
      .append(R"(<table role="presentation" class="card" width="100%" cellpadding="0" )")
      .append("cellspacing=\"0\" style=\"max-width:560px;background:#ffffff;")
      .append("border:1px solid #e3e6ea;border-radius:12px\"><tr>")
      .append("<td class=\"ink\" align=\"left\" style=\"padding:22px 20px;color:#1b1f24;")
      .append("font-size:16px;line-height:1.45;")
      .append(kFont)
      .append("\">\n");
  out.append("<h1 class=\"ink\" style=\"margin:0 0 10px;font-size:21px;line-height:1.3;")
      .append("color:#1b1f24;word-break:break-word\">")
      .append(mail::html_escape(text.heading))
      .append("</h1>\n<p class=\"news\" style=\"margin:0 0 16px;padding:10px 14px;")
      .append("border-radius:8px;background:#e2f5ea;color:#0d5c34;font-size:18px;")
      .append("font-weight:600;word-break:break-word\">")
      .append(mail::html_escape(text.summary))
      .append("</p>\n<p class=\"ink\" style=\"margin:0 0 16px;color:#1b1f24;")
      .append("word-break:break-word\">")
      .append(mail::html_escape(text.lead))
      .append("</p>\n<table width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" ")
      .append("style=\"font-size:15px;line-height:1.4;border-collapse:collapse\">\n");
  for (const FactLine& line : text.lines) append_row(out, line);
  out.append("</table>\n");
  if (!text.url.empty()) append_button(out, text.url);
  out.append("<p class=\"soft\" style=\"margin:20px 0 0;color:#5b6470;font-size:13px\">")
      .append("You get this mail because you watch this section.</p>\n")
      .append("</td></tr></table>\n</td></tr></table>\n</body>\n</html>\n");
  return out;
}

}  // namespace edged::class_monitor
