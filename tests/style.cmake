# The rules of the house, one test a rule, and the program of the README.
# The tree is the same in each preset, so the rules run in the plain one.
find_program(PYTHON_OF_SYSTEM python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)

set(style ${CMAKE_CURRENT_SOURCE_DIR}/style/check_style.py)
if(NOT DUN_SANITIZE)
    foreach(rule columns functions file_length banned_calls layers links format places openings
            dead_code shellcheck top_level)
        add_test(NAME style.${rule} COMMAND ${PYTHON_OF_SYSTEM} ${style} ${rule})
    endforeach()
    add_test(NAME style.of_the_check
        COMMAND ${PYTHON_OF_SYSTEM} ${CMAKE_CURRENT_SOURCE_DIR}/style/test_check_style.py)
endif()

# README.md shows one whole program, in the ```c block after the comment <!-- program -->. It is
# extracted here, compiled as a firmware author would, with the profile of the template board, and
# run against a broker.
set(readme ${PROJECT_SOURCE_DIR}/README.md)
set(boards ${PROJECT_SOURCE_DIR}/boards)
set(readme_program ${CMAKE_CURRENT_BINARY_DIR}/readme_program.c)
add_custom_command(OUTPUT ${readme_program}
    COMMAND ${PYTHON_OF_SYSTEM} ${CMAKE_CURRENT_SOURCE_DIR}/style/readme_program.py
        ${readme} ${readme_program}
    DEPENDS ${readme} ${CMAKE_CURRENT_SOURCE_DIR}/style/readme_program.py)
add_executable(readme_program ${readme_program} ${boards}/node.c)
set_target_properties(readme_program PROPERTIES C_EXTENSIONS ON)
target_compile_options(readme_program PRIVATE -Wall -Werror)
target_include_directories(readme_program PRIVATE ${boards} ${boards}/template)
target_link_libraries(readme_program PRIVATE dunlin_mqtt dunlin_link_posix)
add_test(NAME readme.program COMMAND ${PYTHON_OF_SYSTEM}
    ${CMAKE_CURRENT_SOURCE_DIR}/interop/test_readme_program.py)
set_tests_properties(readme.program PROPERTIES
    ENVIRONMENT "DUNLIN_BUILD=${CMAKE_BINARY_DIR}" TIMEOUT 120)
