package awssecuritylake

import (
	"bytes"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/saker-sec/saker/internal/alert"
)

// FuzzEncode reads back what is written of any alert, with both schemas.
func FuzzEncode(f *testing.F) {
	f.Add([]byte(`{"uuid":"u","rule":"r","priority":"info","time":"1970-01-01T00:00:00Z","output":"o","output_fields":{"a":[1.5,null,{"b":-0}],"c":null,"d":"\u0000é"},"tags":["x","y"]}`))
	f.Add([]byte(`{"rule":"r","priority":"alert","time":"2026-11-23T18:46:58Z"}`))
	type row struct {
		Raw         string `parquet:"raw_data"`
		Time        int64  `parquet:"time"`
		Observables []struct {
			Name  string `parquet:"name"`
			Value string `parquet:"value"`
		} `parquet:"observables"`
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := alert.Decode(text)
		if err != nil {
			return
		}
		for _, columns := range [][]column{securityFinding(), detectionFinding()} {
			file := encode(columns, []*alert.Alert{a, a, a})
			rows, err := parquet.Read[row](bytes.NewReader(file), int64(len(file)))
			if err != nil || len(rows) != 3 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for _, r := range rows {
				if r.Raw != string(a.AppendSidekick(nil)) || r.Time != a.Time.UnixMilli() || len(r.Observables) != len(observables(a)) {
					t.Fatalf("got %+v of %s", r, text)
				}
			}
		}
	})
}
