package metric

import (
	"errors"
	"fmt"
	"os"
)

// File is metrics.output_file, to which samples are appended. It is opened for every sample, so that it may be moved away
// meanwhile.
type File struct{ path string }

// OpenFile makes sure that the file can be written and creates it if it is not there.
func OpenFile(path string) (*File, error) {
	f := &File{path}
	return f, f.append(nil)
}

func (f *File) append(line []byte) error {
	w, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = w.Write(line)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return fmt.Errorf("writing metrics.output_file: %w", err)
	}
	return nil
}
