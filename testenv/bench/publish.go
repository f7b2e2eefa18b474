package bench

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Publish copies a program to where everybody can run it, for a [Bench] that
// root starts runs it as somebody else. The caller has to call remove.
func Publish(program string) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "paperplane")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, filepath.Base(program))
	if err := errors.Join(os.Chmod(dir, 0o755), copyProgram(path, program)); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return path, func() { _ = os.RemoveAll(dir) }, nil
}

func copyProgram(to, from string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Chmod(0o755), dst.Close())
}
