package driver

// The objects are compiled from bpf/driver.bpf.c with clang 14 and the libbpf headers of Debian (package libbpf-dev); both are needed
// only to regenerate them. The output depends on nothing else, so regenerating twice gives the same bytes.
//
//go:generate go tool bpf2go -go-package driver -target amd64,arm64 -cc clang-14 -strip llvm-strip-14 -no-global-types -output-stem zz_programs -cflags "-O2 -g -Wall -Werror -Wno-unused-function -mcpu=v3 -fdebug-compilation-dir=. -mllvm -disable-block-placement" programs bpf/driver.bpf.c
