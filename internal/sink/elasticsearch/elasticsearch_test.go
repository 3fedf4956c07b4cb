package elasticsearch_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/elasticsearch"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "elasticsearch", Secrets: []string{"s3cretPassword", "s3cretHeader", "s3cretKey"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("elasticsearch", v, elasticsearch.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{
				"elasticsearch.hostport": url, "elasticsearch.username": "elastic", "elasticsearch.password": "s3cretPassword",
				"elasticsearch.customheaders": "X-One:s3cretHeader", "elasticsearch.apikey": "s3cretKey",
			}
		},
		Answer: func(*http.Request, []byte) string { return "{}" },
		Variants: map[string]setting.Values{
			"flat": {"elasticsearch.flattenfields": "true", "elasticsearch.suffix": "none", "elasticsearch.index": "other", "elasticsearch.username": ""},
			"pipeline": {
				"elasticsearch.pipeline": "p q", "elasticsearch.suffix": "monthly", "elasticsearch.type": "event", "elasticsearch.enablecompression": "true",
				"elasticsearch.createindextemplate": "true",
			},
		},
	}.Run(t)
}

// server is a cluster with a mapping in which field a.b is a number and c an object.
type server struct {
	docs     map[string]string
	requests []string
	busy     bool
	blocked  bool
	most     int  // bytes of a bulk request; 0 is any number
	closed   bool // nobody may see the template
	template string
}

func (s *server) put(index, id, doc string) (int, string) {
	if s.busy {
		return 429, `{"type":"es_rejected_execution_exception","reason":"busy"}`
	}
	if s.blocked {
		return 403, `{"type":"cluster_block_exception","reason":"index [i] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];"}`
	}
	if _, ok := s.docs[id]; ok {
		return 409, `{"type":"version_conflict_engine_exception","reason":"document already exists"}`
	}
	switch {
	case strings.Contains(doc, `"a.b":"`):
		return 400, `{"type":"document_parsing_exception","reason":"[1:52] failed to parse field [output_fields.a.b] of type [long] in document with id 'x'. Preview of field's value: 'x'"}`
	case strings.Contains(doc, `"c":`):
		return 400, `{"type":"mapper_parsing_exception","reason":"object mapping for [output_fields.c] tried to parse field [c] as object, but found a concrete value"}`
	case strings.Contains(doc, `"rule":"bad"`):
		return 400, `{"type":"strict_dynamic_mapping_exception","reason":"no"}`
	}
	s.docs[id] = doc
	return 201, ""
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := new(strings.Builder)
	if _, err := fmt.Fprint(body, readAll(r)); err != nil {
		return
	}
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "_index_template":
		if s.closed {
			w.WriteHeader(403)
		} else if r.Method == http.MethodPut {
			s.template = body.String()
		} else if s.template == "" {
			w.WriteHeader(404)
		}
	case parts[0] == "_bulk" && body.Len() > s.most && s.most > 0:
		w.WriteHeader(413)
	case parts[0] == "_bulk":
		lines := strings.Split(strings.TrimSuffix(body.String(), "\n"), "\n")
		var items []string
		for i := 0; i+1 < len(lines); i += 2 {
			var head struct {
				Create struct {
					Index string `json:"_index"`
					ID    string `json:"_id"`
				}
			}
			if err := json.Unmarshal([]byte(lines[i]), &head); err != nil {
				w.WriteHeader(400)
				return
			}
			code, failure := s.put(head.Create.Index, head.Create.ID, lines[i+1])
			if failure != "" {
				failure = `,"error":` + failure
			}
			items = append(items, fmt.Sprintf(`{"create":{"_index":%q,"status":%d%s}}`, head.Create.Index, code, failure))
		}
		fmt.Fprintf(w, `{"took":1,"errors":true,"items":[%s]}`, strings.Join(items, ","))
	default:
		code, failure := s.put(parts[0], parts[2], body.String())
		w.WriteHeader(code)
		if failure != "" {
			fmt.Fprintf(w, `{"error":%s,"status":%d}`, failure, code)
		}
	}
}

func readAll(r *http.Request) string {
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := r.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String()
		}
	}
}

func start(t *testing.T, more setting.Values) (*server, *elasticsearch.Sink) {
	s := &server{docs: map[string]string{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	values := setting.Values{"elasticsearch.hostport": srv.URL + "/", "elasticsearch.index": "i", "elasticsearch.suffix": "none"}
	for k, v := range more {
		values[k] = v
	}
	sink, err := setting.Open("elasticsearch", values, elasticsearch.New)
	if err != nil {
		t.Fatal(err)
	}
	return s, sink
}

func one(id, rule string, fields ...string) *alert.Alert {
	a := sinktest.Alert("m")
	a.UUID, a.Rule, a.Output = id, rule, "m"
	for _, f := range fields {
		a.Fields = append(a.Fields, alert.Field{Key: f, Value: alert.Value{Kind: alert.Text, Text: "x"}})
	}
	return a
}

// TestMapping puts what fits: without the fields that do not.
func TestMapping(t *testing.T) {
	s, sink := start(t, nil)
	if err := sink.Send(t.Context(), one("1", "r", "a.b", "c", "d"), nil); err != nil {
		t.Fatal(err)
	}
	if doc := s.docs["1"]; !strings.Contains(doc, `"output_fields":{"d":"x"}`) || len(s.requests) != 3 {
		t.Errorf("%s after %v", doc, s.requests)
	}
	if err := sink.Send(t.Context(), one("1", "r", "d"), nil); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if err := sink.Send(t.Context(), one("2", "bad"), nil); !route.Permanent(err) {
		t.Error(err)
	}
}

func TestBatch(t *testing.T) {
	s, sink := start(t, setting.Values{"elasticsearch.batching.enabled": "true", "elasticsearch.createindextemplate": "true"})
	if n, wait, ok := sink.Batch(); n != 5242880 || wait.Seconds() != 1 || !ok {
		t.Error(n, wait, ok)
	}
	if errs := sink.SendBatch(t.Context(), []*alert.Alert{one("1", "r"), one("2", "r"), one("1", "r")}); errs != nil {
		t.Errorf("%v", errs)
	}
	errs := sink.SendBatch(t.Context(), []*alert.Alert{one("3", "bad"), one("4", "r", "c", "d"), one("5", "r")})
	if len(errs) != 3 || !route.Permanent(errs[0]) || !strings.Contains(errs[0].Error(), "status 400: strict_dynamic_mapping_exception: no") || errs[1] != nil || errs[2] != nil {
		t.Errorf("%v", errs)
	}
	if len(s.docs) != 4 || s.template == "" {
		t.Errorf("%v, template %q", s.docs, s.template)
	}
	s.busy = true
	if errs := sink.SendBatch(t.Context(), []*alert.Alert{one("6", "r")}); len(errs) != 1 || errs[0] == nil || route.Permanent(errs[0]) {
		t.Errorf("%v", errs)
	}
}

// TestTemplateForbidden may not see the index template at first: alerts wait for that to change.
func TestTemplateForbidden(t *testing.T) {
	s, sink := start(t, setting.Values{"elasticsearch.createindextemplate": "true"})
	s.closed = true
	if err := sink.Send(t.Context(), one("1", "r"), nil); err == nil || route.Permanent(err) {
		t.Errorf("%v, want an error that is not permanent", err)
	}
	s.closed = false
	if err := sink.Send(t.Context(), one("1", "r"), nil); err != nil || len(s.docs) != 1 || s.template == "" {
		t.Errorf("%v, %v, template %q", err, s.docs, s.template)
	}
}

// TestBlocked has a cluster whose disks are full: alerts wait for room.
func TestBlocked(t *testing.T) {
	s, sink := start(t, setting.Values{"elasticsearch.batching.enabled": "true"})
	s.blocked = true
	if err := sink.Send(t.Context(), one("1", "r"), nil); err == nil || route.Permanent(err) {
		t.Errorf("%v, want an error that is not permanent", err)
	}
	if errs := sink.SendBatch(t.Context(), []*alert.Alert{one("2", "r")}); len(errs) != 1 || errs[0] == nil || route.Permanent(errs[0]) {
		t.Errorf("in a batch: %v, want an error that is not permanent", errs)
	}
}

// TestLargeBulk has a proxy that takes no large requests: what it refuses together goes one by one.
func TestLargeBulk(t *testing.T) {
	s, sink := start(t, setting.Values{"elasticsearch.batching.enabled": "true"})
	s.most = 100
	if errs := sink.SendBatch(t.Context(), []*alert.Alert{one("1", "r"), one("2", "bad"), one("3", "r")}); len(errs) != 3 || errs[0] != nil || !route.Permanent(errs[1]) || errs[2] != nil {
		t.Errorf("%v", errs)
	}
	if len(s.docs) != 2 {
		t.Errorf("%v", s.docs)
	}
}
