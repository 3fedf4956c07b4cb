package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/saker-sec/saker/internal/sink/servertest"
)

// metacollector is a k8s-metacollector: it sends the events that a test gives it to whoever watches.
type metacollector struct {
	mu       sync.Mutex
	selector []byte
	events   [][]byte
	news     chan struct{}
	cut      chan struct{}
}

// raw passes messages as they are.
type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = slices.Clone(data)
	return nil
}

func (m *metacollector) watch(_ any, s grpc.ServerStream) error {
	var request []byte
	if err := s.RecvMsg(&request); err != nil {
		return err
	}
	m.mu.Lock()
	m.selector = request
	cut := m.cut
	m.mu.Unlock()
	for n := 0; ; {
		m.mu.Lock()
		events, news := m.events[min(n, len(m.events)):], m.news
		n = len(m.events)
		m.mu.Unlock()
		for _, e := range events {
			if err := s.SendMsg(&e); err != nil {
				return err
			}
		}
		select {
		case <-news:
		case <-cut:
			return fmt.Errorf("restarting")
		case <-s.Context().Done():
			return nil
		}
	}
}

func (m *metacollector) send(events ...[]byte) {
	m.mu.Lock()
	m.events = append(m.events, events...)
	close(m.news)
	m.news = make(chan struct{})
	m.mu.Unlock()
}

// restart ends all streams and forgets what was sent; the next ones begin with events.
func (m *metacollector) restart(events ...[]byte) {
	m.mu.Lock()
	m.events = events
	close(m.cut)
	m.cut = make(chan struct{})
	m.mu.Unlock()
}

func serve(t *testing.T, o ...grpc.ServerOption) (*metacollector, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &metacollector{news: make(chan struct{}), cut: make(chan struct{})}
	s := grpc.NewServer(append(o, grpc.ForceServerCodec(raw{}), grpc.MaxSendMsgSize(64<<20))...)
	s.RegisterService(&grpc.ServiceDesc{ServiceName: "metadata.Metadata", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: "Watch", Handler: m.watch, ServerStreams: true},
	}}, m)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return m, l.Addr().(*net.TCPAddr).Port
}

// encodeEvent makes an Event as a collector sends it.
func encodeEvent(reason, kind, uid, meta, status string, refs map[string][]string) []byte {
	b := appendText(appendText(appendText(nil, 1, reason), 2, uid), 3, kind)
	if meta != "" {
		b = appendText(b, 4, meta)
	}
	if status != "" {
		b = appendText(b, 6, status)
	}
	if refs != nil {
		var m []byte
		for _, k := range slices.Sorted(maps.Keys(refs)) {
			var list []byte
			for _, r := range refs[k] {
				list = appendText(list, 1, r)
			}
			entry := protowire.AppendBytes(protowire.AppendTag(appendText(nil, 1, k), 2, protowire.BytesType), list)
			m = protowire.AppendBytes(protowire.AppendTag(m, 1, protowire.BytesType), entry)
		}
		b = protowire.AppendBytes(protowire.AppendTag(b, 7, protowire.BytesType), m)
	}
	return protowire.AppendVarint(protowire.AppendTag(b, 99, protowire.VarintType), 1) // of a later version
}

func collect(t *testing.T, port int, ca string) (*Collector, *loop, *logs) {
	t.Helper()
	l := &logs{}
	c, err := NewCollector("127.0.0.1", port, ca, "n1", l.log)
	if err != nil {
		t.Fatal(err)
	}
	background(t, c.Run)
	return c, &loop{&c.Mailbox, map[string]*Pod{}}, l
}

func object(kind, name, labels string) []byte {
	return encodeEvent("Create", kind, kind+"1", `{"name":"`+name+`","namespace":"prod","labels":`+labels+`}`, "", nil)
}

func somePod(reason string) []byte {
	return encodeEvent(reason, "Pod", "u1", `{"name":"web-1","namespace":"prod","labels":{"app":"web"}}`, `{"podIP":"10.1.2.3"}`, map[string][]string{
		"Namespace": {"Namespace1"}, "ReplicaSet": {"ReplicaSet1"}, "Deployment": {"Deployment1"}, "Service": {"Service1", "Service2"},
	})
}

func TestCollector(t *testing.T) {
	m, port := serve(t)
	m.send(somePod("Create"), object("Namespace", "prod", `{"of":"ns"}`), object("ReplicaSet", "web-5d", `{"of":"set"}`), object("Deployment", "web", `{"of":"deployment"}`),
		object("Service", "front", `{"of":"svc"}`))
	c, l, log := collect(t, port, "")
	want := "prod/web-1 u1 ip=10.1.2.3 sa= ns=Namespace1[{of ns}] <ReplicaSet web-5d ReplicaSet1[{of set}] <Deployment web Deployment1[{of deployment}] svc  svc front"
	eventually(t, "the pod is known with all that surrounds it", func() bool { return describePod(l.take()["u1"]) == want })
	m.mu.Lock()
	if s := string(m.selector); !strings.Contains(s, "n1") || !strings.Contains(s, "ReplicationController") {
		t.Errorf("asked for %q", s)
	}
	m.mu.Unlock()
	m.send(encodeEvent("Delete", "Service", "Service1", "", "", nil), encodeEvent("Update", "Deployment", "Deployment1", `{"name":"web","labels":{"of":"other"}}`, "", nil))
	eventually(t, "news of what surrounds it arrive", func() bool {
		p := l.take()["u1"]
		v, _ := p.Owner("Deployment").Label("of")
		return v == "other" && p.Services[0].Name == "" && p.Services[1].Name == ""
	})
	m.send(encodeEvent("Delete", "Pod", "u1", "", "", nil))
	eventually(t, "the pod is gone", func() bool { return len(l.take()) == 0 })
	if s := c.Stats(); s.Pods != 0 || s.Owners != 3 || s.Unreadable != 0 || s.Lists != 1 {
		t.Errorf("counters: %+v", s)
	}
	if log.String() != "" {
		t.Errorf("logged: %s", log)
	}
}

// TestCollectorRestarts takes the collector away in the middle.
func TestCollectorRestarts(t *testing.T) {
	m, port := serve(t)
	m.send(somePod("Create"))
	c, l, log := collect(t, port, "")
	eventually(t, "the pod is known", func() bool { return l.take()["u1"] != nil })
	m.restart(encodeEvent("Create", "Pod", "u2", `{"name":"second","namespace":"prod"}`, "", nil))
	eventually(t, "the pod of the new stream is known", func() bool { return l.take()["u2"] != nil })
	if l.pods["u1"] == nil {
		t.Error("a pod is forgotten before the collector could tell of it")
	}
	c.settle()
	eventually(t, "what the new stream did not tell of is gone", func() bool { return l.take()["u1"] == nil })
	if log.count("tried again") != 1 || log.count("works again") != 1 {
		t.Errorf("logged: %s", log)
	}
}

// TestCollectorIsAway begins without a collector, which is said once.
func TestCollectorIsAway(t *testing.T) {
	c, _, log := collect(t, servertest.Number(t, servertest.Free(t)), "")
	eventually(t, "it failed twice", func() bool { return c.Stats().Errors >= 2 })
	if n := log.count("asking the k8s-metacollector at 127.0.0.1"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log)
	}
}

// TestHostileCollectors sends what no collector should.
func TestHostileCollectors(t *testing.T) {
	for name, c := range map[string]struct {
		events   [][]byte
		reported string
	}{
		"no message":          {[][]byte{{0xff, 0xff, 0xff}}, "decoding a message"},
		"no JSON":             {[][]byte{encodeEvent("Create", "Pod", "u1", "{", "", nil)}, "metadata of Pod u1"},
		"a status of rubbish": {[][]byte{encodeEvent("Create", "Pod", "u1", "{}", "7", nil)}, "status of Pod u1"},
		"another reason":      {[][]byte{encodeEvent("Explode", "Pod", "u1", "{}", "", nil)}, "none of Create"},
		"no uid":              {[][]byte{encodeEvent("Create", "Pod", "", "{}", "", nil)}, `uid ""`},
		"another kind":        {[][]byte{somePod("Create"), encodeEvent("Update", "Service", "u1", "{}", "", nil)}, "was a Pod"},
		"labels of 100 kB":    {[][]byte{encodeEvent("Create", "Service", "s1", `{"labels":{"a":"`+strings.Repeat("x", 100_000)+`"}}`, "", nil)}, "too long"},
		"20 MB":               {[][]byte{encodeEvent("Create", "Pod", "u1", strings.Repeat("x", 20<<20), "", nil)}, "larger than max"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, port := serve(t)
			m.send(c.events...)
			_, l, log := collect(t, port, "")
			eventually(t, "it is reported", func() bool { return log.count(c.reported) == 1 })
			good := encodeEvent("Create", "Pod", "good", `{"name":"good"}`, "", nil)
			m.send(good)
			m.restart(good)
			eventually(t, "what follows is known", func() bool { return l.take()["good"] != nil })
		})
	}
}

func TestCollectorWithTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	m, port := serve(t, grpc.Creds(credentials.NewServerTLSFromCert(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})))
	m.send(somePod("Create"))
	_, l, _ := collect(t, port, ca)
	eventually(t, "the pod is known", func() bool { return l.take()["u1"] != nil })
}

func TestNewCollectorErrors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		port     int
		ca, want string
	}{{0, "", "collectorPort is 0"}, {70000, "", "collectorPort is 70000"}, {1, empty + "x", "reading caPEMBundle"}, {1, empty, "holds no certificate"}} {
		if _, err := NewCollector("h", c.port, c.ca, "n", nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// TestLookupsAreForgotten lets time pass over a look-up that nothing refers to any more.
func TestLookupsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lookups{}
		l.init(nil, newReporter(nil), nil)
		l.chain(reference{Kind: "Rollout", Namespace: "prod", Name: "r", UID: "r1", Version: "argoproj.io/v1alpha1"})
		l.chain(reference{Kind: "Job", Namespace: "prod", Name: "j", UID: "j1", Version: "batch/v1"})
		o := l.pop()
		if o.ref.Name != "j" || l.pop() != nil {
			t.Fatalf("looks up %+v first, want the job alone: a rollout is no kind that is known", o.ref)
		}
		o.next = time.Now().Add(fresh)
		l.sweep(map[string]bool{"j1": true}, time.Now())
		if l.len() != 1 || l.pop() != nil {
			t.Fatalf("%d are known after a sweep, want the job", l.len())
		}
		time.Sleep(fresh + time.Second)
		l.sweep(map[string]bool{"j1": true}, time.Now())
		if l.pop() != o {
			t.Fatal("what is old is not asked for anew")
		}
		l.sweep(nil, time.Now())
		if l.len() != 0 {
			t.Error("what nothing refers to is kept")
		}
	})
}
