package mms

import (
	"os"
	"testing"

	"mediagate/internal/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Quiet(m)) }
