# CMake has no platform of this name before 3.31: nothing to say, but that it is meant.
set(WASI 1)
