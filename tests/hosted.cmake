# The daemon as a process, its unit file, and what is installed, used from outside.
add_test(NAME board.template COMMAND dunlin_template)
if(TARGET dunlind)
    dun_interop_test(daemon)
endif()
if(TARGET dunlind AND NOT DUN_SANITIZE)
    dun_interop_test(unit_file)
    dun_interop_test(package)
endif()
