package state

import (
	"strings"
	"testing"
)

func TestAppendPath(t *testing.T) {
	for _, x := range []struct{ base, name, want string }{
		{"/home/", "x", "/home/x"},
		{"/home", "x", "/home/x"},
		{"/home/", "/x", "/x"},
		{"/home/", "", ""},
		{"/home/", ".", "/home"},
		{"/home/", "..", "/"},
		{"/home/", "../..", "/"},
		{"/home/", "../../../etc/passwd", "/etc/passwd"},
		{"/a/b/", "../c", "/a/c"},
		{"/a/b/", "./c/./d/../e/", "/a/b/c/e"},
		{"/a/b/", "c//d", "/a/b/c/d"},
		{"", "/", "/"},
		{"", "//", "/"},
		{"", "/..", "/"},
		{"", "/./", "/"},
		{"", "/etc/./passwd", "/etc/passwd"},
		{"", "/etc/../etc/passwd", "/etc/passwd"},
		{"", "x", "x"},
		{"", "../x", "x"},
		{"", "x/..", ""},
		{"", "./x", "x"},
		{"/a/", "..b", "/a/..b"},
		{"/a/", ".b", "/a/.b"},
		{"/a/", "b.", "/a/b."},
		{"/a/", "...", "/a/..."},
		{"/", "a", "/a"},
		{"<UNKNOWN>", "a", "<UNKNOWN>a"},
	} {
		if got := string(AppendPath(nil, x.base, x.name)); got != x.want {
			t.Errorf("%q in %q is %q, want %q", x.name, x.base, got, x.want)
		}
		if got := string(AppendPath([]byte("kept"), x.base, x.name)); got != "kept"+x.want {
			t.Errorf("%q in %q appended is %q", x.name, x.base, got)
		}
	}
	deep := strings.Repeat("/dir", 10000)
	if got := AppendPath(nil, deep, "x"); len(got) > MaxPath {
		t.Errorf("%d bytes, at most %d are kept", len(got), MaxPath)
	}
}

func FuzzAppendPath(f *testing.F) {
	f.Add("/home/", "../x")
	f.Add("", "/a/../b//")
	f.Fuzz(func(t *testing.T, base, name string) {
		got := AppendPath([]byte("#"), base, name)
		if got[0] != '#' || len(got) > MaxPath+1 {
			t.Fatalf("%q in %q is %q", name, base, got)
		}
		if len(name) > 0 && name[0] == '/' {
			for _, part := range strings.Split(string(got[1:]), "/") {
				if part == "." || part == ".." {
					t.Fatalf("%q is %q", name, got)
				}
			}
		}
	})
}

func TestResolvePath(t *testing.T) {
	s := runScript(t, Config{}, shell+"100 openat fd=4 dirfd=-100 name=/opt flags=0x401")
	scratch := make([]byte, 0, 256)
	th := s.Thread(100)
	for _, x := range []struct {
		dirfd int64
		name  string
		want  string
	}{{AtFDCWD, "x", "/home/x"}, {4, "../x", "/x"}, {5, "x", "<UNKNOWN>x"}, {5, "/x", "/x"}, {-1, "x", "<UNKNOWN>x"}} {
		if got := string(s.ResolvePath(th, x.dirfd, x.name, scratch)); got != x.want {
			t.Errorf("%s in %d is %q, want %q", x.name, x.dirfd, got, x.want)
		}
	}
	if got := string(s.ResolvePath(nil, AtFDCWD, "x", scratch)); got != "<UNKNOWN>x" {
		t.Errorf("without a thread: %q", got)
	}
	if n := testing.AllocsPerRun(100, func() { s.ResolvePath(th, 4, "a/../b/./c", scratch) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
