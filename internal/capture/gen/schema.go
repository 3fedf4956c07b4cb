package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// eventType is what the conversions need to know of an event type.
type eventType struct {
	ppme    string
	enter   bool
	managed bool     // old events of the type have rules
	old     bool     // no longer produced
	params  []string // their types
}

// readSchema reads the event types from the schema file; their position is their code.
func readSchema(path string) ([]eventType, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []eventType
	for i, line := range strings.Split(string(text), "\n") {
		// event CODE PPME_NAME NAME DIR CLASS CATEGORY FLAGS STATUS [PARAM:TYPE:FORMAT[:TABLE]] ...
		w := strings.Fields(line)
		if len(w) == 0 || w[0] != "event" {
			continue
		}
		if len(w) < 9 || w[1] != fmt.Sprint(len(list)) {
			return nil, fmt.Errorf("%s:%d: want event %d with at least nine words, have %q", path, i+1, len(list), line)
		}
		flags := strings.Split(w[7], "|")
		t := eventType{
			ppme:    w[2],
			enter:   w[4] == ">",
			managed: slices.Contains(flags, "CONVERTER_MANAGED"),
			old:     slices.Contains(flags, "OLD_VERSION"),
		}
		for _, p := range w[9:] {
			f := strings.Split(p, ":")
			if len(f) < 2 {
				return nil, fmt.Errorf("%s:%d: parameter %q is not NAME:TYPE:FORMAT", path, i+1, p)
			}
			t.params = append(t.params, f[1])
		}
		list = append(list, t)
	}
	return list, nil
}

// fixed returns the size in bytes of a parameter type's values, 0 for types without a fixed size, and whether the default
// is all ones (reference: scap-format.md §7, §8).
func fixed(typ string) (size int, ones bool) {
	switch typ {
	case "INT8", "UINT8", "FLAGS8", "ENUMFLAGS8", "SIGTYPE":
		return 1, false
	case "INT16", "UINT16", "FLAGS16", "ENUMFLAGS16", "SYSCALLID", "PORT":
		return 2, false
	case "UID", "GID":
		return 4, true
	case "INT32", "UINT32", "FLAGS32", "ENUMFLAGS32", "MODE", "SIGSET", "FD32", "PID32", "IPV4ADDR", "BOOL":
		return 4, false
	case "INT64", "UINT64", "RELTIME", "ABSTIME", "ERRNO", "FD", "PID":
		return 8, false
	case "IPV6ADDR":
		return 16, false
	}
	return 0, false
}
