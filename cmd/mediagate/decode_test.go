package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// captures gives a script the variable PCAP: a folder with the captures of testdata/pcap, and one that is cut off.
func captures(env *testscript.Env) error {
	dir, err := filepath.Abs("../../testdata/pcap")
	if err != nil {
		return err
	}
	own := filepath.Join(env.WorkDir, "pcap")
	if err := os.CopyFS(own, os.DirFS(dir)); err != nil {
		return err
	}
	env.Setenv("PCAP", own)
	return cutCapture(filepath.Join(own, "rtsp-404-ffmpeg-gst.pcap.gz"), filepath.Join(own, "cut.pcap"))
}

// cutCapture writes the first 900 bytes of what is in a packed file.
func cutCapture(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	b := make([]byte, 900)
	if _, err := io.ReadFull(z, b); err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}
