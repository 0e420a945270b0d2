// Sends a value from a file, and prints the status and the code of the answer.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

func main() {
	file, err := os.Open(os.Args[1])
	check(err)
	request, err := http.NewRequest("PUT", os.Getenv("PROMINENCE_URL")+"/kv/upload", file)
	check(err)
	size, err := file.Stat()
	check(err)
	request.ContentLength = size.Size()
	request.Header.Set("Authorization", "Bearer "+os.Getenv("PROMINENCE_TOKEN"))
	if len(os.Args) > 2 {
		request.Header.Set("Expect", "100-continue")
	}
	answer, err := http.DefaultClient.Do(request)
	check(err)
	var body struct{ Code string }
	check(json.NewDecoder(answer.Body).Decode(&body))
	fmt.Println(answer.StatusCode, body.Code)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
