package asf_test

import (
	"fmt"
	"os"

	"mediagate/internal/asf"
)

func ExampleParse() {
	b, err := os.ReadFile("../origin/sample/sample.wmv")
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := asf.Parse(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range f.Streams {
		fmt.Println(s.Number, s.Kind, s.Codec)
	}
	p, err := asf.ParsePacket(f.Packets[0])
	fmt.Println(p.SendTime, "ms, key frame", p.KeyFrame(), err)
	// Output:
	// 1 video WMV2
	// 2 audio WMA2
	// 0 ms, key frame true <nil>
}
