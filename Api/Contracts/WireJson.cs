using System.Text.Json.Serialization;

namespace Couic.Api.Contracts;

/// <summary>Serializers for the bodies of the API, made at compile time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(EntryRecord[]))]
[JsonSerializable(typeof(ClaimRecord[]))]
[JsonSerializable(typeof(NewEntry))]
[JsonSerializable(typeof(PartialEntry))]
[JsonSerializable(typeof(ClientRecord[]))]
[JsonSerializable(typeof(NewClient))]
[JsonSerializable(typeof(ErrorBody))]
[JsonSerializable(typeof(SetRecord))]
[JsonSerializable(typeof(SetSummary[]))]
[JsonSerializable(typeof(SetReloadRecord))]
[JsonSerializable(typeof(StatsRecord))]
[JsonSerializable(typeof(TagStatsRecord))]
[JsonSerializable(typeof(MetricsRecord))]
[JsonSerializable(typeof(BulkRecord))]
[JsonSerializable(typeof(PeerRecord[]))]
[JsonSerializable(typeof(PeerDiffRecord))]
[JsonSerializable(typeof(BusRecord))]
[JsonSerializable(typeof(StatusRecord))]
[JsonSerializable(typeof(ReloadRecord))]
[JsonSerializable(typeof(EventRecord))]
[JsonSerializable(typeof(HistoryRecord))]
public sealed partial class WireJson : JsonSerializerContext;
