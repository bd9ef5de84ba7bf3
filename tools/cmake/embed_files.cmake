# SPDX-License-Identifier: Apache-2.0
# Writes OUTPUT, a .cc file that holds FILES (separated by '|'), each as it is and compressed by gzip; run
# at build time by edged_embed_files(). Arguments: OUTPUT, FILES, GZIP (the program), HEADER (declares what
# follows), NAMESPACE, FUNCTION. OUTPUT defines
#   std::vector<EmbeddedFile> NAMESPACE::FUNCTION();
# whose elements are {name without folder, bytes, compressed bytes}.

# The bytes of `file` as the numbers of an array.
function(numbers file result)
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," text "${hex}")
  # g++ reads long lines slowly.
  string(REGEX REPLACE "(................................................................................)"
         "\\1\n" text "${text}")
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

set(arrays "")
set(rows "")
set(number 0)
string(REPLACE "|" ";" files "${FILES}")
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  execute_process(COMMAND ${GZIP} -9 -n -c "${file}" OUTPUT_FILE "${OUTPUT}.gz" COMMAND_ERROR_IS_FATAL ANY)
  numbers("${file}" plain)
  numbers("${OUTPUT}.gz" packed)
  string(APPEND arrays "const unsigned char kPlain${number}[] = {${plain}};\n"
                       "const unsigned char kPacked${number}[] = {${packed}};\n")
  string(APPEND rows "      {\"${name}\", text(kPlain${number}), text(kPacked${number})},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(REMOVE "${OUTPUT}.gz")
file(WRITE "${OUTPUT}" "// Generated from files; do not edit.
#include \"${HEADER}\"

#include <cstddef>
#include <string_view>

namespace ${NAMESPACE} {
namespace {

${arrays}
template <std::size_t kBytes>
std::string_view text(const unsigned char (&bytes)[kBytes]) {
  return {reinterpret_cast<const char*>(bytes), kBytes};
}

}  // namespace

std::vector<EmbeddedFile> ${FUNCTION}() {
  return {
${rows}  };
}

}  // namespace ${NAMESPACE}
")
