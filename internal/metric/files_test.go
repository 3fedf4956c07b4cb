package metric

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestHashFiles(t *testing.T) {
	root := tree(t, map[string]string{"a.yaml": "abc", "b.yaml": ""})
	a, b, none := filepath.Join(root, "a.yaml"), filepath.Join(root, "b.yaml"), filepath.Join(root, "none.yaml")
	got, err := HashFiles([]string{b, none, a})
	want := []FileHash{
		{b, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{a, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err == nil || !strings.Contains(err.Error(), none) {
		t.Errorf("error %v does not name %s", err, none)
	}
}
