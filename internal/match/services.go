package match

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ReadServices reads a file in the format of /etc/services (services(5)) and returns the look-up of a port by name. Of
// several entries with a name the first counts, whatever its protocol, as in getservbyname(3).
func ReadServices(r io.Reader) (func(name string) (uint16, bool), error) {
	ports := make(map[string]uint16)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) < 2 {
			continue
		}
		number, _, _ := strings.Cut(words[1], "/")
		port, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			continue
		}
		names := append([]string{words[0]}, words[2:]...)
		for _, name := range names {
			if _, ok := ports[name]; !ok {
				ports[name] = uint16(port)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the names of services: %w", err)
	}
	return func(name string) (uint16, bool) {
		port, ok := ports[name]
		return port, ok
	}, nil
}
