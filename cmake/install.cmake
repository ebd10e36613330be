# cmake --install, and what find_package(narrow CONFIG) reads. The installed library depends on nothing.
include(CMakePackageConfigHelpers)
set(narrow_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/narrow)

install(TARGETS narrow EXPORT narrow)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/narrow DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT narrow NAMESPACE narrow:: FILE narrowTargets.cmake DESTINATION ${narrow_config_dir})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/narrowConfig.cmake.in ${PROJECT_BINARY_DIR}/narrowConfig.cmake
  INSTALL_DESTINATION ${narrow_config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/narrowConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/narrowConfig.cmake ${PROJECT_BINARY_DIR}/narrowConfigVersion.cmake
  DESTINATION ${narrow_config_dir})
