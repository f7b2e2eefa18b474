package lab_test

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/paperplane-relay/paperplane/testenv/lab"
)

func TestContent(t *testing.T) {
	want, err := io.ReadAll(lab.NewContent(10_001))
	if err != nil || len(want) != 10_001 {
		t.Fatalf("%d bytes, %v", len(want), err)
	}
	if err := iotest.TestReader(lab.NewContent(10_001), want); err != nil {
		t.Error(err)
	}
	if bytes.Equal(want[:4096], want[4096:8192]) {
		t.Error("it repeats itself")
	}
	if _, err := lab.NewContent(5).Seek(-6, io.SeekEnd); err == nil {
		t.Error("no error before the beginning")
	}
}
