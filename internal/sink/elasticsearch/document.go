package elasticsearch

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// document returns what is put into the index.
func (s *Sink) document(a *alert.Alert) []byte {
	if s.cfg.Flatten || s.cfg.CreateTemplate {
		flat := *a
		flat.Fields = make([]alert.Field, len(a.Fields))
		for i, f := range a.Fields {
			flat.Fields[i] = alert.Field{Key: strings.ReplaceAll(f.Key, ".", "_"), Value: f.Value}
		}
		a = &flat
	}
	doc := a.AppendSidekick(nil)
	doc = append(doc[:len(doc)-1], `,"@timestamp":"`...)
	doc = a.Time.UTC().AppendFormat(doc, time.RFC3339Nano)
	return append(doc, `"}`...)
}

// mismatch is a field in what Elasticsearch says of a document that it cannot parse: "failed to parse field [output_fields.a.b]
// of type [long]", "object mapping for [output_fields.a] tried to parse field [b] as object".
var mismatch = regexp.MustCompile(`\[output_fields\.([^\]\[]+(?:\[[^\]]*\])?[^\]\[]*)\]`)

// reason returns what a document was refused for.
func reason(answer []byte) failure {
	var said struct {
		Error failure `json:"error"`
	}
	if json.Unmarshal(answer, &said) != nil {
		return failure{}
	}
	return said.Error
}

// failure is Elasticsearch's error for a document.
type failure struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

// blocked says whether the index or the cluster takes nothing for now, as when its disks are full. It says so with status 403 or 429.
func (f failure) blocked() bool { return f.Type == "cluster_block_exception" }

func (f failure) field() string {
	switch f.Type {
	case "document_parsing_exception", "mapper_parsing_exception", "illegal_argument_exception":
	default:
		return ""
	}
	if found := mismatch.FindStringSubmatch(f.Reason); found != nil {
		return found[1]
	}
	return ""
}

// without returns an alert without the field and all below it, and whether there was one. Numbers, dots and the rest of the
// alert stay as they are.
func (s *Sink) without(a *alert.Alert, field string) (*alert.Alert, bool) {
	if field == "" {
		return a, false
	}
	less := *a
	less.Fields = nil
	for _, f := range a.Fields {
		key := f.Key
		if s.cfg.Flatten || s.cfg.CreateTemplate {
			key = strings.ReplaceAll(key, ".", "_")
		}
		if key != field && !strings.HasPrefix(key, field+".") {
			less.Fields = append(less.Fields, f)
		}
	}
	return &less, len(less.Fields) < len(a.Fields)
}
