// What the tests of the chart ask of the Kubernetes project's own libraries: whether rendered objects are what they say (decode), what an admission policy says (policy),
// and what the health checks in docs/gitops say (health).
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: chart-tools decode|policy|health, with what is asked on stdin"))
	}
	var answer any
	var err error
	switch os.Args[1] {
	case "decode":
		answer, err = decode(os.Stdin)
	case "policy":
		answer, err = judge(os.Stdin)
	case "health":
		answer, err = judgeHealth(os.Stdin)
	default:
		err = fmt.Errorf("there is no %q", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
