package config_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"mediagate/internal/config"
)

func ExampleLoad() {
	c, err := config.Load(filepath.Join("..", "..", "testdata", "config", "valid", "product.yaml"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range c.Pools[0].Nodes {
		fmt.Println(n.Name, n.Address, n.Ports.RTSP, n.Weight)
	}
	// Output:
	// wms1 192.0.2.11 554 1
	// wms2 192.0.2.12 8554 2
}

func ExampleParse() {
	_, err := config.Parse("mediagate.yaml", []byte("log: {level: inof}\npools: []\n"))
	var faults config.Faults
	if errors.As(err, &faults) {
		fmt.Println(len(faults), "faults")
		fmt.Println(faults[1])
	}
	// Output:
	// 3 faults
	// mediagate.yaml:1:14: "inof": not known; choose one of debug, info, warn, error
}

func ExampleForOrigin() {
	c, err := config.ForOrigin("192.0.2.11")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.VirtualServers[0].Name, c.VirtualServers[0].Listen[0], c.Pools[0].Nodes[0].Address)
	// Output: RTSP Control :554 192.0.2.11
}

func ExampleConfig_Validate() {
	c := config.Default()
	c.Pools = []config.Pool{{Name: "a"}}
	err := c.Validate()
	fmt.Println(err != nil)
	// Output: true
}

func ExampleConfig_YAML() {
	c, _ := config.ForOrigin("192.0.2.11")
	out, err := c.YAML()
	fmt.Println(strings.SplitN(string(out), "\n", 3)[1], err)
	// Output: level: info <nil>
}

func ExampleParseListen() {
	l, err := config.ParseListen("[2001:db8::1]:554")
	fmt.Println(l, l.Port, err)
	// Output: [2001:db8::1]:554 554 <nil>
}
