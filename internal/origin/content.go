package origin

import (
	"embed"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"

	"mediagate/internal/asf"
)

// maxFile bounds what is read into memory for one presentation.
const maxFile = 1 << 30

//go:embed sample/sample.wmv sample/sample.h264 sample/sample.aac
var samples embed.FS

// library finds presentations by the path of their URL.
type library struct {
	root *os.Root // nil: the bundled sample

	mu     sync.Mutex
	opened map[string]*asf.File
}

// newLibrary opens dir, or the bundled sample if that is empty.
func newLibrary(dir string) (*library, error) {
	l := &library{opened: map[string]*asf.File{}}
	if dir == "" {
		b, err := samples.ReadFile("sample/sample.wmv")
		if err != nil {
			return nil, fmt.Errorf("origin: read the bundled sample: %w", err)
		}
		f, err := asf.Parse(b)
		if err != nil {
			return nil, fmt.Errorf("origin: read the bundled sample: %w", err)
		}
		l.opened["sample.wmv"], l.opened["sample.asf"] = f, f
		return l, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("origin: open folder: %w", err)
	}
	l.root = root
	return l, nil
}

// find is the presentation that a URL path names or, for a SETUP, is below of; control is then the rest.
func (l *library) find(urlPath string) (f *asf.File, name, control string, err error) {
	name = strings.Trim(urlPath, "/")
	if f, err = l.open(name); err == nil {
		return f, name, "", nil
	}
	if dir, last := path.Split(name); dir != "" {
		name = strings.Trim(dir, "/")
		f, err = l.open(name)
		return f, name, last, err
	}
	return nil, "", "", err
}

// open reads a file once and keeps it, under one name however it is spelled: what is kept does not grow by asking. os.Root
// lets no path out of the folder.
func (l *library) open(name string) (*asf.File, error) {
	name = path.Clean(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := l.opened[name]; ok {
		return f, nil
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".asf", ".wma", ".wmv":
	default:
		return nil, fmt.Errorf("origin: open %q: %w", name, os.ErrNotExist)
	}
	if l.root == nil {
		return nil, fmt.Errorf("origin: open %q: %w", name, os.ErrNotExist)
	}
	b, err := readAll(l.root, name, maxFile)
	if err != nil {
		return nil, fmt.Errorf("origin: open %q: %w", name, err)
	}
	f, err := asf.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("origin: open %q: %w", name, err)
	}
	l.opened[name] = f
	return f, nil
}

func readAll(root *os.Root, name string, limit int64) ([]byte, error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s of %d bytes: %w", info.Mode().Type(), info.Size(), os.ErrInvalid)
	}
	return io.ReadAll(file)
}

func (l *library) close() error {
	if l.root == nil {
		return nil
	}
	return l.root.Close()
}

// controlNames are the last parts of the streams' URLs, as Windows Media Services name them ([MS-RTSP] 2.2.7.10.1:
// .../mycontent.wmv/audio): the kind where one stream alone has it, else the number.
func controlNames(f *asf.File) []string {
	count := map[asf.Kind]int{}
	for _, s := range f.Streams {
		count[s.Kind]++
	}
	names := make([]string, len(f.Streams))
	for i, s := range f.Streams {
		names[i] = fmt.Sprintf("stream=%d", s.Number)
		if count[s.Kind] == 1 && (s.Kind == asf.Audio || s.Kind == asf.Video) {
			names[i] = s.Kind.String()
		}
	}
	return names
}
