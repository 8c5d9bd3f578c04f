;; The memory of a component, and where the runtime puts what it answers with. It is a module of its
;; own, made first, so that the calls of WASI can be bound to it before there is the module that
;; makes them. See lend.h. PAGES is what that module asks for.
(module
  (memory (export "memory") PAGES)
  (global $lent (mut i32) (i32.const 0))
  (global $lent_size (mut i32) (i32.const 0))
  (global $at (mut i32) (i32.const 0)) ;; of what was taken for good
  (global $left (mut i32) (i32.const 0))

  (func (export "lend") (param $buffer i32) (param $size i32)
    (global.set $lent (local.get $buffer))
    (global.set $lent_size (local.get $size)))

  (func $take (export "take") (param $size i32) (result i32)
    (local $pages i32)
    (local.set $size (i32.and (i32.add (local.get $size) (i32.const 7)) (i32.const -8)))
    (if (i32.gt_u (local.get $size) (global.get $left))
      (then
        (local.set $pages
          (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))
        (global.set $at (memory.grow (local.get $pages)))
        (if (i32.eq (global.get $at) (i32.const -1)) (then (unreachable)))
        (global.set $at (i32.shl (global.get $at) (i32.const 16)))
        (global.set $left (i32.shl (local.get $pages) (i32.const 16)))))
    (global.get $at)
    (global.set $at (i32.add (global.get $at) (local.get $size)))
    (global.set $left (i32.sub (global.get $left) (local.get $size))))

  ;; The canonical ABI never shrinks nor grows what wasi:* 0.2 answers with: there is no old one.
  (func (export "realloc")
    (param $old i32) (param $old_size i32) (param $alignment i32) (param $size i32) (result i32)
    (if (i32.eqz (local.get $size)) (then (return (local.get $alignment))))
    (if (i32.or (i32.eqz (global.get $lent))
          (i32.gt_u (local.get $size) (global.get $lent_size)))
      (then (return (call $take (local.get $size)))))
    (global.get $lent)
    (global.set $lent (i32.const 0))))
