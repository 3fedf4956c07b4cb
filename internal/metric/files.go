package metric

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// HashFiles returns the SHA-256 of files, in their order. Those that cannot be read are left out, and the error names them.
func HashFiles(paths []string) ([]FileHash, error) {
	var out []FileHash
	var errs []error
	for _, p := range paths {
		sum, err := hash(p)
		if err != nil {
			errs = append(errs, fmt.Errorf("computing the SHA-256 of a loaded file: %w", err))
			continue
		}
		out = append(out, FileHash{Path: p, SHA256: sum})
	}
	return out, errors.Join(errs...)
}

func hash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
