package asf

import "fmt"

// SyntaxError says where a file or packet is not what the format allows.
type SyntaxError struct {
	// Offset is where in the given bytes the trouble begins.
	Offset int
	// Object is the part that was read, What is the matter with it.
	Object, What string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("asf: parse %s at byte %d: %s", e.Object, e.Offset, e.What)
}

func fault(offset int, object, format string, args ...any) error {
	return &SyntaxError{Offset: offset, Object: object, What: fmt.Sprintf(format, args...)}
}
