package doctor_test

import (
	"fmt"

	"mediagate/internal/doctor"
)

func ExampleFaulty() {
	fmt.Println(doctor.Faulty([]doctor.Result{{Test: "ports", State: doctor.OK}, {Test: "privileges", State: doctor.Skip}}))
	fmt.Println(doctor.Faulty([]doctor.Result{{Test: "mtu", State: doctor.Fault, Mend: "ip link set eth0 mtu 1500"}}))
	// Output:
	// false
	// true
}
