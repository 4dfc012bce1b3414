{{- define "clinic-operator.name" -}}
{{- if contains "clinic-operator" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-clinic-operator" (.Release.Name | trunc 47 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "clinic-operator.selectorLabels" -}}
app.kubernetes.io/name: clinic-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "clinic-operator.labels" -}}
{{ include "clinic-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* The controller's config file, as docs/configuration.md describes it. */ -}}
{{- define "clinic-operator.config" -}}
portalUrl: {{ required "portalUrl is required: the base URL of the links in the mails" .Values.portalUrl | quote }}
listen: 0.0.0.0:8080
log:
  level: {{ .Values.log.level }}
  format: {{ .Values.log.format }}
mail:
  host: {{ required "mail.host is required: the relay that takes the clinic's mail" .Values.mail.host | quote }}
  port: {{ .Values.mail.port }}
  tls: {{ .Values.mail.tls | quote }}
  from: {{ required "mail.from is required: the sender of every mail" .Values.mail.from | quote }}
  {{- with .Values.mail.replyTo }}
  replyTo: {{ . | quote }}
  {{- end }}
  {{- if .Values.mail.caConfigMap }}
  caFile: /etc/clinic-operator/ca/ca.crt
  {{- end }}
  {{- if .Values.mail.credentialsSecret }}
  credentials: /etc/clinic-operator/smtp
  {{- end }}
  auth: {{ .Values.mail.auth }}
  mailsPerMinute: {{ .Values.mail.mailsPerMinute }}
  connections: {{ .Values.mail.connections }}
  timeoutSeconds: {{ .Values.mail.timeoutSeconds }}
{{- end -}}
