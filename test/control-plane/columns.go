package main

import (
	"context"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apiserver/pkg/registry/rest"
)

// column is what `kubectl get` shows of a built-in type beside its name.
type column struct {
	name string
	of   func(runtime.Object) any
}

var ageColumn = column{"Age", func(object runtime.Object) any {
	return age(object.(metav1.ObjectMetaAccessor).GetObjectMeta().GetCreationTimestamp().Time)
}}

func columnsOf(object runtime.Object) []column {
	switch object.(type) {
	case *corev1.Namespace, *corev1.NamespaceList:
		return []column{{"Status", func(object runtime.Object) any { return string(object.(*corev1.Namespace).Status.Phase) }}, ageColumn}
	case *corev1.Secret, *corev1.SecretList:
		return []column{
			{"Type", func(object runtime.Object) any { return string(object.(*corev1.Secret).Type) }},
			{"Data", func(object runtime.Object) any { return int64(len(object.(*corev1.Secret).Data)) }}, ageColumn,
		}
	case *corev1.ConfigMap, *corev1.ConfigMapList:
		return []column{{"Data", func(object runtime.Object) any { return int64(len(object.(*corev1.ConfigMap).Data)) }}, ageColumn}
	case *coordinationv1.Lease, *coordinationv1.LeaseList:
		return []column{{"Holder", func(object runtime.Object) any {
			if holder := object.(*coordinationv1.Lease).Spec.HolderIdentity; holder != nil {
				return *holder
			}
			return ""
		}}, ageColumn}
	case *corev1.Event, *corev1.EventList:
		return eventColumns
	}
	return nil
}

var eventColumns = []column{
	{"Last Seen", func(object runtime.Object) any {
		event := object.(*corev1.Event)
		switch {
		case event.Series != nil:
			return age(event.Series.LastObservedTime.Time)
		case !event.LastTimestamp.IsZero():
			return age(event.LastTimestamp.Time)
		}
		return age(event.EventTime.Time)
	}},
	{"Type", func(object runtime.Object) any { return object.(*corev1.Event).Type }},
	{"Reason", func(object runtime.Object) any { return object.(*corev1.Event).Reason }},
	{"Object", func(object runtime.Object) any {
		about := object.(*corev1.Event).InvolvedObject
		return strings.ToLower(about.Kind) + "/" + about.Name
	}},
	{"Message", func(object runtime.Object) any { return strings.TrimSpace(object.(*corev1.Event).Message) }},
}

func age(since time.Time) string {
	if since.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(time.Since(since))
}

// tableOf adds the columns of a type to the library's plain table.
type tableOf struct{ plain rest.TableConvertor }

func (t tableOf) ConvertToTable(ctx context.Context, object, options runtime.Object) (*metav1.Table, error) {
	table, err := t.plain.ConvertToTable(ctx, object, options)
	columns := columnsOf(object)
	if err != nil || columns == nil {
		return table, err
	}
	if len(table.ColumnDefinitions) > 0 {
		table.ColumnDefinitions = table.ColumnDefinitions[:1]
		for _, column := range columns {
			table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: column.name, Type: "string"})
		}
	}
	for i := range table.Rows {
		cells := table.Rows[i].Cells[:1]
		for _, column := range columns {
			cells = append(cells, column.of(table.Rows[i].Object.Object))
		}
		table.Rows[i].Cells = cells
	}
	return table, nil
}
