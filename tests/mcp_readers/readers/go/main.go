// What encoding/json finds in messages, read into a struct as gateways do; the lines are those of read.py.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
)

type params struct {
	Name any `json:"name"`
	URI  any `json:"uri"`
}

type message struct {
	Method any             `json:"method"`
	Params json.RawMessage `json:"params"`
}

func reading(body []byte) any {
	var found message
	if json.Unmarshal(body, &found) != nil {
		return nil
	}
	var inner params
	if found.Params != nil && json.Unmarshal(found.Params, &inner) != nil {
		inner = params{}
	}
	return []any{found.Method, inner.Name, inner.URI}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	answers := json.NewEncoder(output)
	answers.SetEscapeHTML(false)
	for lines.Scan() {
		body, err := hex.DecodeString(lines.Text())
		if err != nil {
			panic(err)
		}
		if err := answers.Encode(reading(body)); err != nil {
			panic(err)
		}
	}
}
