package origin_test

import (
	"fmt"
	"net/netip"

	"mediagate/internal/origin"
)

func ExampleServer() {
	s, err := origin.New(origin.Config{Listen: netip.MustParseAddrPort("127.0.0.40:8554"), Media: 5004,
		MMS: netip.MustParseAddrPort("127.0.0.40:1755"), HTTP: netip.MustParseAddrPort("127.0.0.40:80")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.URL("sample.wmv"), s.Snapshot().Sessions)
	fmt.Println(s.MMSURL("sample.wmv"), s.Snapshot().Connections)
	fmt.Println(s.HTTPURL("sample.wmv"), s.Snapshot().ForeignClientIDs)
	fmt.Println(s.Close())
	// Output:
	// rtsp://127.0.0.40:8554/sample.wmv 0
	// mms://127.0.0.40:1755/sample.wmv 0
	// http://127.0.0.40:80/sample.wmv 0
	// <nil>
}

func ExampleOrdinary() {
	o, err := origin.NewOrdinary(origin.OrdinaryConfig{Listen: netip.MustParseAddrPort("127.0.0.40:8554"), Publish: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(o.URL("sample"))
	fmt.Println(o.Close())
	// Output:
	// rtsp://127.0.0.40:8554/sample
	// <nil>
}
