# kernels/<tier>/tier.cmake describes a tier:
#   tier_architecture  the processor family: x86_64, aarch64 or any
#   tier_flags         what its sources are compiled with
#   tier_probe         a source that the compiler must accept with these flags
#   tier_needs         the tier, if any, whose epilogues it shares
# Tiers for another processor, or beyond this compiler, are left out; src/ learns which are in by NARROW_HAVE_<TIER>.
include(CheckCXXSourceCompiles)

# xsimd is header-only and used by the kernels alone. Its folder is linked into the build tree because its parent is
# usually /usr/include, which must not be on the path of a cross compiler.
find_path(NARROW_XSIMD_INCLUDE_DIR xsimd/xsimd.hpp NO_CMAKE_FIND_ROOT_PATH REQUIRED)
set(narrow_xsimd ${PROJECT_BINARY_DIR}/xsimd)
file(MAKE_DIRECTORY ${narrow_xsimd})
file(CREATE_LINK ${NARROW_XSIMD_INCLUDE_DIR}/xsimd ${narrow_xsimd}/xsimd SYMBOLIC)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(narrow_architecture x86_64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(narrow_architecture aarch64)
else()
  set(narrow_architecture other)
endif()

# Optimised in every build type, as tiles must stay in registers. The sanitizer presets ask for less of both: the checks that
# they leave out (each inlined temporary's scope and alignment) take minutes per tier to compile.
set(NARROW_TIERS all CACHE STRING "Tiers to build: all, or a list of their names; generic is always built")

set(NARROW_KERNEL_FLAGS -O3 CACHE STRING "Flags for optimisation and sanitizers of the kernels")

function(narrow_add_tiers core objects)
  set(built)
  set(left_out)
  set(object_list ${${objects}})
  file(GLOB descriptions CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*/tier.cmake)
  list(TRANSFORM descriptions REPLACE ".*/kernels/(.*)/tier.cmake" "\\1" OUTPUT_VARIABLE known)
  set(wanted ${NARROW_TIERS} generic)
  if(NARROW_TIERS STREQUAL all)
    set(wanted ${known})
  endif()
  foreach(tier IN LISTS wanted)
    if(NOT tier IN_LIST known)
      message(FATAL_ERROR "NARROW_TIERS: there is no tier ${tier}, only ${known}")
    endif()
  endforeach()
  foreach(description IN LISTS descriptions)
    get_filename_component(folder ${description} DIRECTORY)
    get_filename_component(tier ${folder} NAME)
    string(TOUPPER ${tier} upper)
    if(NOT tier IN_LIST wanted)
      continue()
    endif()
    set(tier_needs)
    include(${description})
    if(tier_needs AND NOT tier_needs IN_LIST wanted)
      message(FATAL_ERROR "NARROW_TIERS: ${tier} needs ${tier_needs}, too")
    endif()
    if(NOT tier_architecture MATCHES "^(any|${narrow_architecture})$")
      continue()
    endif()

    set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
    list(JOIN tier_flags " " CMAKE_REQUIRED_FLAGS)
    set(CMAKE_REQUIRED_QUIET ON)
    check_cxx_source_compiles("${tier_probe}" NARROW_CAN_BUILD_${upper})
    if(NOT NARROW_CAN_BUILD_${upper})
      list(APPEND left_out ${tier})
      continue()
    endif()

    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
    narrow_add_objects(narrow_${tier} ${sources})
    # xsimd's functions are plain inline: under one name, the linker would keep one tier's copy for all tiers.
    # Not -fno-trapping-math: g++ then turns float(int(x)) into trunc(x) where the tier has that instruction, and -0.5 gives
    # -0 there and 0 elsewhere.
    target_compile_definitions(narrow_${tier} PRIVATE xsimd=narrow_xsimd_${tier})
    # g++ 12 finds the deliberately undefined operands of its own AVX-512 intrinsics uninitialized.
    target_compile_options(narrow_${tier} PRIVATE ${tier_flags} ${NARROW_KERNEL_FLAGS}
      $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized$<SEMICOLON>-Wno-uninitialized>)
    target_include_directories(narrow_${tier} SYSTEM PRIVATE ${narrow_xsimd})
    target_compile_definitions(${core} PRIVATE NARROW_HAVE_${upper}=1)
    list(APPEND built ${tier})
    list(APPEND object_list $<TARGET_OBJECTS:narrow_${tier}>)
  endforeach()

  list(JOIN built " " built)
  message(STATUS "narrow tiers: ${built}")
  if(left_out)
    list(JOIN left_out " " left_out)
    message(STATUS "narrow tiers that this compiler cannot build: ${left_out}")
  endif()
  set(${objects} ${object_list} PARENT_SCOPE)
endfunction()
