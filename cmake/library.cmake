# The library: the portable sources of src/ and one object library for each tier of kernels/.
include(${CMAKE_CURRENT_LIST_DIR}/tiers.cmake)

# What every object of the library is compiled with, whatever flags the project around it has. Results are the same bits on
# every tier only if no compiler fuses a multiply and an add on its own, or takes the liberties of -ffast-math; and what runs is
# what was tested only if no linker compiles it again. Nothing throws, so no object carries the tables for it.
add_library(narrow_options INTERFACE)
target_compile_features(narrow_options INTERFACE cxx_std_20)
target_compile_options(narrow_options INTERFACE
  -fno-fast-math -fno-math-errno -ffp-contract=off -fno-lto -fno-exceptions -fno-rtti -Wall -Wextra)
target_include_directories(narrow_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)

function(narrow_add_objects name)
  add_library(${name} OBJECT ${ARGN})
  target_link_libraries(${name} PRIVATE narrow_options)
  set_target_properties(${name} PROPERTIES
    CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON
    INTERPROCEDURAL_OPTIMIZATION OFF
    UNITY_BUILD OFF)  # files of different tiers have names in common
endfunction()

file(GLOB narrow_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.cpp)
narrow_add_objects(narrow_core ${narrow_sources})
set(narrow_objects $<TARGET_OBJECTS:narrow_core>)
narrow_add_tiers(narrow_core narrow_objects)
if(BUILD_SHARED_LIBS)
  target_compile_definitions(narrow_core PRIVATE NARROW_SHARED)
endif()

function(narrow_add_library name type)
  add_library(${name} ${type} ${narrow_objects})
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(${name} PROPERTIES
    LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})  # before 1.0 every minor version may break the ABI
endfunction()

narrow_add_library(narrow "")
add_library(narrow::narrow ALIAS narrow)
if(BUILD_SHARED_LIBS)
  target_compile_definitions(narrow PUBLIC NARROW_SHARED)
  # The C++ library's own templates have default visibility whatever the flags: the map keeps them in.
  target_link_options(narrow PRIVATE -Wl,--no-undefined -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map)
  set_property(TARGET narrow APPEND PROPERTY LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
endif()
