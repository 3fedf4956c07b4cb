package field

import "github.com/saker-sec/saker/internal/state"

// counter is the class util, which --list does not show.
func counter() *Class {
	return &Class{
		Name:   "util",
		Doc:    "Helps to test outputs.",
		Source: "syscall",
		Hidden: true,
		Fields: []Field{
			{
				Name: "util.cnt", Type: UINT64,
				Doc: "Counts how often it was asked for.",
				Bind: func(string, bool) (*Extractor, error) {
					n := uint64(0)
					return &Extractor{Cost: costLoad, Num: func(*state.Ctx) (uint64, bool) { n++; return n, true }}, nil
				},
			},
		},
	}
}
