package kubereport

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/saker-sec/saker/internal/sink/httpsink"
)

// report is an object as the API server has it. What we do not know of it stays as it is.
type report struct {
	object  map[string]json.RawMessage
	results []json.RawMessage
	found   bool // it is there
}

// limit is how many bytes of results a report may have. The API server takes objects of 1.5 MB, as etcd does.
const limit = 1 << 20

func newReport(k Kind, name, namespace string) *report {
	kind := k.ClusterReport
	metadata := struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace,omitempty"`
		Labels    map[string]string `json:"labels"`
	}{name, namespace, map[string]string{"app.kubernetes.io/managed-by": "falcosidekick"}} // as dashboards know them
	if namespace != "" {
		kind = k.Report
	}
	return &report{object: map[string]json.RawMessage{"apiVersion": quote(k.Group), "kind": quote(kind), "metadata": quote(metadata)}}
}

// quote returns the JSON of a value that always has one.
func quote(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null") // texts, numbers and maps of texts can be marshalled
	}
	return text
}

func parseReport(text []byte) (*report, error) {
	r := &report{found: true}
	if err := json.Unmarshal(text, &r.object); err != nil {
		return nil, fmt.Errorf("the report is no object: %w", err)
	}
	if results := r.object["results"]; results != nil {
		if err := json.Unmarshal(results, &r.results); err != nil {
			return nil, fmt.Errorf("the results of the report are no list: %w", err)
		}
	}
	return r, nil
}

// seen is what we need to know of a result in a report.
type seen struct {
	Severity   string            `json:"severity"`
	Result     string            `json:"result"`
	Properties map[string]string `json:"properties"`
}

func look(text json.RawMessage) seen {
	var s seen
	if json.Unmarshal(text, &s) != nil {
		return seen{} // somebody else's, which counts as the least severe
	}
	return s
}

// summary counts results by what they are.
type summary struct {
	Pass  int `json:"pass"`
	Fail  int `json:"fail"`
	Warn  int `json:"warn"`
	Error int `json:"error"`
	Skip  int `json:"skip"`
}

// add adds results that are not there, and takes out others while there are too many. It returns the object, and whether it
// differs from what was there.
func (r *report) add(results []result, most int, byPriority bool) (body []byte, changed bool, err error) {
	there := map[string]bool{}
	for _, text := range r.results {
		there[look(text).Properties[uuidProperty]] = true
	}
	fresh := len(r.results)
	for _, n := range results {
		id := n.Properties[uuidProperty]
		if id != "" && there[id] {
			continue
		}
		text, err := httpsink.Encode(n)
		if err != nil {
			return nil, false, err
		}
		there[id] = true
		r.results = append(r.results, text[:len(text)-1])
	}
	if len(r.results) == fresh {
		return nil, false, nil
	}
	if fresh = r.prune(fresh, most, byPriority); fresh == len(r.results) {
		return nil, false, nil // none of the new ones is severe enough
	}
	var s summary
	for _, text := range r.results {
		switch look(text).Result {
		case "pass":
			s.Pass++
		case "fail":
			s.Fail++
		case "warn":
			s.Warn++
		case "error":
			s.Error++
		case "skip":
			s.Skip++
		}
	}
	r.object["results"], r.object["summary"] = quote(r.results), quote(s)
	body, err = httpsink.Encode(r.object)
	return body, true, err
}

// prune takes out results while there are too many: the first one, or the first of the least severe ones. The results from
// fresh on are new; it returns from where on they are then.
func (r *report) prune(fresh, most int, byPriority bool) int {
	size := 0
	for _, text := range r.results {
		size += len(text)
	}
	severity := make([]int, len(r.results))
	for i, text := range r.results {
		if byPriority {
			severity[i] = slices.Index(severities[:], look(text).Severity)
		}
	}
	for len(r.results) > most || size > limit && len(r.results) > 1 {
		at := slices.Index(severity, slices.Min(severity))
		size -= len(r.results[at])
		r.results, severity = slices.Delete(r.results, at, at+1), slices.Delete(severity, at, at+1)
		if at < fresh {
			fresh--
		}
	}
	return fresh
}
