# SPDX-License-Identifier: Apache-2.0
# The options every target shares, and one function that declares a folder's library.

add_library(edged_options INTERFACE)
target_include_directories(edged_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/edged>)
target_compile_features(edged_options INTERFACE cxx_std_20)
# Off: g++ 12 takes the frames of Asio's coroutines for mismatched new and delete when it optimises.
# Warnings are for this tree alone, not for projects that use the installed libraries.
set(edged_warnings
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wconversion
  -Wno-sign-conversion -Wno-missing-field-initializers $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete> $<$<BOOL:${EDGED_WERROR}>:-Werror>)
target_compile_options(edged_options INTERFACE "$<BUILD_INTERFACE:${edged_warnings}>")
# What ccache needs to cache users of a precompiled header.
target_compile_options(edged_options INTERFACE
  $<BUILD_INTERFACE:$<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>>
  "$<BUILD_INTERFACE:$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>>")
target_link_libraries(edged_options INTERFACE Threads::Threads)
if(EDGED_SANITIZE)
  target_compile_options(edged_options INTERFACE
    -fsanitize=${EDGED_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(edged_options INTERFACE -fsanitize=${EDGED_SANITIZE})
endif()

# spdlog and fmt by their headers: proto/base/log.cc alone includes them, and no program depends on
# the version of a shared library.
add_library(edged_spdlog INTERFACE)
target_include_directories(edged_spdlog SYSTEM INTERFACE
  $<TARGET_PROPERTY:spdlog::spdlog_header_only,INTERFACE_INCLUDE_DIRECTORIES>)
target_compile_definitions(edged_spdlog INTERFACE SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY=1)

# Asio is compiled once, in proto/net/asio.cc; every other user only sees declarations.
add_library(edged_asio INTERFACE)
target_compile_definitions(edged_asio INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ALL_NO_LIB)
target_link_libraries(edged_asio INTERFACE Boost::headers)

# edged_library(NAME SOURCES a.cc b.cc [PUBLIC lib...] [PRIVATE lib...] [ASIO])
# One library per folder. Only what a folder links can it call, so the include directions of
# docs/architecture.md hold at link time. ASIO adds the shared precompiled header.
function(edged_library name)
  cmake_parse_arguments(ARG "ASIO" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC edged_options ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  if(ARG_ASIO)
    edged_use_asio(${name})
  endif()
endfunction()

function(edged_use_asio name)
  target_link_libraries(${name} PUBLIC edged_asio)
  if(EDGED_PCH AND NOT name STREQUAL "edged_net")
    target_precompile_headers(${name} REUSE_FROM edged_net)
  endif()
endfunction()

# edged_embed_sql(TARGET file.sql...)
# Makes "<folder>/sql.gen.h" (folder = the calling CMakeLists' one) for TARGET and its users: each
# "-- name: claim_due" block as edged::sql::<folder's name>::kClaimDue, each file without such blocks
# as one constant, kFiles with all of those. Programs carry their SQL with them.
function(edged_embed_sql target)
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  get_filename_component(namespace ${folder} NAME)
  set(header ${PROJECT_BINARY_DIR}/generated/${folder}/sql.gen.h)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE files)
  list(JOIN files "|" joined)
  set(script ${PROJECT_SOURCE_DIR}/tools/cmake/embed_sql.cmake)
  add_custom_command(OUTPUT ${header}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${header} -DNAMESPACE=${namespace} "-DFILES=${joined}" -P ${script}
    DEPENDS ${files} ${script} VERBATIM)
  target_sources(${target} PRIVATE ${header})
  target_include_directories(${target} PUBLIC ${PROJECT_BINARY_DIR}/generated)
endfunction()

# edged_command_pages(PROGRAM): the target PROGRAM_pages, which is not part of "all": PROGRAM writes its
# man page and completions into <build>/pages. If they are there, they are installed with the
# component of its name.
function(edged_command_pages program)
  set(pages ${PROJECT_BINARY_DIR}/pages)
  set(written ${pages}/${program}.1.gz ${pages}/${program}.bash ${pages}/_${program})
  add_custom_command(OUTPUT ${written}
    COMMAND ${program} --write-pages ${pages}
    COMMAND gzip -9nkf ${pages}/${program}.1
    DEPENDS ${program} VERBATIM)
  add_custom_target(${program}_pages DEPENDS ${written})
  install(FILES ${pages}/${program}.1.gz
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ${program} OPTIONAL)
  install(FILES ${pages}/${program}.bash RENAME ${program}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT ${program} OPTIONAL)
  install(FILES ${pages}/_${program}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT ${program} OPTIONAL)
endfunction()

# edged_embed_files(TARGET HEADER file.h FUNCTION name FILES file...)
# Compiles the files into TARGET, so that a program carries them with it: FUNCTION, declared in HEADER
# (from the repository root), returns them. FILES are relative to the calling CMakeLists or absolute.
find_program(EDGED_GZIP gzip REQUIRED)
function(edged_embed_files target)
  cmake_parse_arguments(ARG "" "HEADER;FUNCTION;NAMESPACE" "FILES" ${ARGN})
  set(files "")
  foreach(file IN LISTS ARG_FILES)
    get_filename_component(path ${file} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
    list(APPEND files ${path})
  endforeach()
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(output ${PROJECT_BINARY_DIR}/generated/${folder}/${ARG_FUNCTION}.gen.cc)
  get_filename_component(output_folder ${output} DIRECTORY)
  file(MAKE_DIRECTORY ${output_folder})
  list(JOIN files "|" joined)
  set(script ${PROJECT_SOURCE_DIR}/tools/cmake/embed_files.cmake)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DHEADER=${ARG_HEADER} -DFUNCTION=${ARG_FUNCTION}
            -DNAMESPACE=${ARG_NAMESPACE} -DGZIP=${EDGED_GZIP} "-DFILES=${joined}" -P ${script}
    DEPENDS ${files} ${script} VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
