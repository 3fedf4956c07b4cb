package awssecuritylake_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/parquet-go/parquet-go"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/awssecuritylake"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func values(url string) setting.Values {
	return sinktest.AWSSettings("aws.securitylake", url, setting.Values{
		"aws.securitylake.bucket": "lake", "aws.securitylake.region": sinktest.Region, "aws.securitylake.prefix": "ext/falco", "aws.securitylake.accountid": "123456789012", "aws.region": "us-east-1",
	})
}

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "aws.securitylake", AWS: "s3", Secrets: sinktest.AWSSecrets(), Retried: sinktest.AWSRetried(), Settings: values,
		Open: func(v setting.Values) (route.Sink, error) {
			return setting.Open("aws.securitylake", v, awssecuritylake.New)
		},
		Variants: map[string]setting.Values{"detection": {"aws.securitylake.ocsf": "1.1.0", "aws.securitylake.prefix": "/ext/falco/"}},
		Answer:   func(*http.Request, []byte) string { return "" }, // batches have a test of their own
		Blur:     func(body string) string { return dump(t, []byte(body)) },
	}.Run(t)
}

// dump returns the schema and the rows of a file, as parquet-go reads it.
func dump(t *testing.T, body []byte) string {
	f, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Errorf("%v", err)
		return ""
	}
	var b strings.Builder
	fmt.Fprintln(&b, f.Schema())
	rows := f.RowGroups()[0].Rows()
	defer rows.Close()
	for n := int64(0); n < f.NumRows(); n++ {
		row := make([]parquet.Row, 1)
		if got, err := rows.ReadRows(row); got != 1 || err != nil && err != io.EOF {
			t.Errorf("row %d: %d, %v", n, got, err)
			break
		}
		for _, v := range row[0] {
			path := strings.Join(f.Schema().Columns()[v.Column()], ".")
			fmt.Fprintf(&b, "%s = %q (%d, %d)\n", path, v.String(), v.RepetitionLevel(), v.DefinitionLevel())
		}
	}
	return b.String()
}

// row is what Falcosidekick's readers find.
type row struct {
	ActivityID   int32  `parquet:"activity_id"`
	ActivityName string `parquet:"activity_name"`
	CategoryName string `parquet:"category_name"`
	CategoryUID  int32  `parquet:"category_uid"`
	ClassName    string `parquet:"classname"`
	ClassUID     int32  `parquet:"class_uid"`
	Finding      struct {
		CreatedTime int64    `parquet:"created_time"`
		Desc        string   `parquet:"desc"`
		Title       string   `parquet:"title"`
		Types       []string `parquet:"types"`
		UID         string   `parquet:"uid"`
	} `parquet:"finding"`
	Message  string `parquet:"message"`
	Metadata struct {
		Version string `parquet:"version"`
		Product struct {
			VendorName string `parquet:"vendor_name"`
			Name       string `parquet:"name"`
		} `parquet:"product"`
		Labels []string `parquet:"labels"`
	} `parquet:"metadata"`
	Observables []struct {
		Name   string `parquet:"name"`
		Type   string `parquet:"type"`
		TypeID int32  `parquet:"type_id"`
		Value  string `parquet:"value"`
	} `parquet:"observables"`
	RawData    string `parquet:"raw_data"`
	Severity   string `parquet:"severity"`
	SeverityID int32  `parquet:"severity_id"`
	State      string `parquet:"state"`
	StateID    int32  `parquet:"state_id"`
	Status     string `parquet:"status"`
	Time       int64  `parquet:"time"`
	TypeName   string `parquet:"type_name"`
	TypeUID    int32  `parquet:"type_uid"`
}

func start(t *testing.T, more setting.Values) (*s3mem.Backend, *awssecuritylake.Sink) {
	store := s3mem.New()
	if err := store.CreateBucket("lake"); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(gofakes3.New(store).Server())
	t.Cleanup(srv.Close)
	v := values(srv.URL)
	for k, x := range more {
		v[k] = x
	}
	s, err := setting.Open("aws.securitylake", v, awssecuritylake.New)
	if err != nil {
		t.Fatal(err)
	}
	return store, s
}

// read returns the objects of a bucket by their names.
func read(t *testing.T, store *s3mem.Backend) map[string][]byte {
	t.Helper()
	list, err := store.ListBucket("lake", nil, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, c := range list.Contents {
		object, err := store.GetObject("lake", c.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		if out[c.Key], err = io.ReadAll(object.Contents); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestRows reads all rows back into Falcosidekick's structure.
func TestRows(t *testing.T) {
	store, s := start(t, nil)
	var alerts []*alert.Alert
	for range 200 {
		for _, sample := range sinktest.Samples() {
			alerts = append(alerts, sample.Alert(t))
		}
	}
	for i, a := range alerts {
		a.Time = a.Time.Add(-time.Duration(a.Time.Hour())*time.Hour + time.Duration(i)*time.Millisecond) // within one day
		if a.Time.Year() < 2000 {
			a.Time = alerts[0].Time
		}
		a.UUID = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
	}
	for range 2 { // the same objects
		if errs := s.SendBatch(t.Context(), alerts); errs != nil {
			t.Fatal(errs)
		}
	}
	objects := read(t, store)
	if len(objects) != 2 {
		t.Fatalf("%d objects, want two: of 1000 and of 200", len(objects))
	}
	rows := map[string]row{}
	for key, body := range objects {
		if !strings.HasPrefix(key, "ext/falco/region="+sinktest.Region+"/accountId=123456789012/eventDay=20261123/") || !strings.HasSuffix(key, ".parquet") {
			t.Errorf("the name is %s", key)
		}
		list, err := parquet.Read[row](bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			rows[r.Finding.UID] = r
		}
	}
	if len(rows) != len(alerts) {
		t.Errorf("%d rows, want %d", len(rows), len(alerts))
	}
	severities := map[alert.Priority]string{
		alert.Emergency: "Fatal", alert.Alarm: "Fatal", alert.Critical: "Critical", alert.Error: "High", alert.Warning: "Medium", alert.Notice: "Low", alert.Informational: "Informational", alert.Debug: "Informational",
	}
	for _, a := range alerts {
		got := rows[a.UUID]
		want := row{
			ActivityID: 1, ActivityName: "Generate", CategoryName: "Findings", CategoryUID: 2, ClassName: "Security Finding", ClassUID: 2001, Message: a.Rule, RawData: string(a.AppendSidekick(nil)),
			Severity: severities[a.Priority], SeverityID: got.SeverityID, State: "New", StateID: 1, Status: a.Priority.String(), Time: a.Time.UnixMilli(), TypeName: "Security Finding: Generate", TypeUID: 200101,
		}
		want.Finding.CreatedTime, want.Finding.Desc, want.Finding.Title, want.Finding.Types, want.Finding.UID = a.Time.UnixMilli(), a.OutputText(), a.Rule, []string{a.Source}, a.UUID
		want.Metadata.Version, want.Metadata.Product.Name, want.Metadata.Product.VendorName, want.Metadata.Labels = "0.1.0", "Falco", "Falcosecurity", a.Tags
		want.Observables = got.Observables
		if len(a.Tags) == 0 {
			want.Metadata.Labels = got.Metadata.Labels[:0]
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
		n := 0
		if a.Hostname != "" {
			n++
		}
		for _, f := range a.Fields {
			if f.Value.Kind != alert.Null {
				n++
			}
		}
		if len(got.Observables) != n || got.SeverityID < 1 || got.SeverityID > 6 {
			t.Fatalf("%d observables, want %d: %+v", len(got.Observables), n, got)
		}
		for _, o := range got.Observables {
			if o.Name == "proc.cmdline" && o.Value != field(a, "proc.cmdline") {
				t.Errorf("got %q, want %q", o.Value, field(a, "proc.cmdline"))
			}
		}
	}
}

func field(a *alert.Alert, key string) string {
	for _, f := range a.Fields {
		if f.Key == key {
			return f.Value.Text
		}
	}
	return ""
}

// TestDays puts an object for each day and tells which alerts are not there.
func TestDays(t *testing.T) {
	store, s := start(t, setting.Values{"aws.securitylake.batchsize": "2", "aws.securitylake.interval": "7"})
	if bytes, wait, ok := s.Batch(); bytes <= 0 || wait != 7*time.Minute || !ok {
		t.Error(bytes, wait, ok)
	}
	var alerts []*alert.Alert
	for i := range 5 {
		a := sinktest.Alert(fmt.Sprint(i))
		a.Time = time.Unix(int64(i%2)*86400, 0)
		alerts = append(alerts, a)
	}
	if errs := s.SendBatch(t.Context(), alerts); errs != nil {
		t.Fatal(errs)
	}
	if objects := read(t, store); len(objects) != 3 { // of three alerts of one day, which are two objects, and of two of another
		t.Errorf("%d objects", len(objects))
	}
	if errs := s.SendBatch(t.Context(), nil); errs != nil {
		t.Errorf("no alerts: %v", errs)
	}
	_, lost := start(t, setting.Values{"aws.securitylake.bucket": "elsewhere"})
	errs := lost.SendBatch(t.Context(), alerts[:2])
	if len(errs) != 2 || errs[0] == nil || route.Permanent(errs[0]) || errs[1] == nil {
		t.Errorf("%v", errs)
	}
}
