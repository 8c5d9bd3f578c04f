/* setjmp.h: cmocka's headers ask for it and nothing of it is used; libc's own stops the compiler.
 */
