using System.Globalization;
using System.Text;
using System.Text.Json;
using Couic.Api.Access;
using Couic.Api.Json;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Store;

namespace Couic.Reporting.Receiver;

/// <summary><c>POST /v1/reports/{secret}</c>: takes a batch as a whole or not at all.</summary>
internal sealed class ReportsEndpoint(Token secret, SummaryWindow window)
{
    /// <summary>Faults that one answer names.</summary>
    private const int MaxFaults = 100;

    public void Register(Router router) => router.Map(Verb.Post, "/v1/reports/{secret}", PostAsync);

    private async ValueTask PostAsync(Exchange exchange)
    {
        if (!IsAllowed(exchange))
        {
            exchange.Fail(401, ErrorCode.Unauthorized, "the last part of the path is not this receiver's secret");
            exchange.AddHeader("www-authenticate"u8, "Bearer"u8);
            return;
        }

        if (!exchange.RequireJson() || !await exchange.ReadBodyAsync().ConfigureAwait(false))
        {
            return;
        }

        try
        {
            var faults = new List<(int Index, string Message)>();
            List<ReceivedReport> reports = ReportBody.Read(exchange.Body, faults);
            foreach ((int index, string message) in faults.Take(MaxFaults))
            {
                exchange.AddFault(string.Create(CultureInfo.InvariantCulture, $"reports[{index}]"), message);
            }

            if (!exchange.FailIfFaults(422, ErrorCode.Invalid))
            {
                window.Add(reports);
                System.Buffers.IBufferWriter<byte> answer = exchange.Answer(200);
                answer.Raw("{\"received\":"u8);
                answer.Number((long)reports.Count);
                answer.Raw("}"u8);
            }
        }
        catch (JsonException e)
        {
            exchange.Fail(400, ErrorCode.BadRequest, StrictJson.Explain(e));
        }
    }

    /// <summary>In a time that does not depend on where the secrets differ.</summary>
    private bool IsAllowed(Exchange exchange)
    {
        bool isToken = Token.TryParse(exchange.Parameter(0), out Token given);
        return isToken & (((given.High ^ secret.High) | (given.Low ^ secret.Low)) == 0);
    }
}

/// <summary>Reads what a daemon posts: an array of reports. Members that are not known are ignored.</summary>
internal static class ReportBody
{
    /// <param name="faults">Values out of their rules, by place in the array; empty when all are good.</param>
    /// <exception cref="JsonException">Not JSON, or not of these types.</exception>
    public static List<ReceivedReport> Read(ReadOnlySpan<byte> json, List<(int Index, string Message)> faults)
    {
        var reports = new List<ReceivedReport>();
        Utf8JsonReader reader = StrictJson.Open(json);
        StrictJson.Next(ref reader);
        StrictJson.Expect(ref reader, JsonTokenType.StartArray, "an array of reports is expected");
        while (true)
        {
            StrictJson.Next(ref reader);
            if (reader.TokenType == JsonTokenType.EndArray)
            {
                break;
            }

            ReceivedReport report = ReadReport(ref reader, out string? fault);
            if (fault is not null)
            {
                faults.Add((reports.Count, fault));
            }

            reports.Add(report);
        }

        StrictJson.End(ref reader);
        return reports;
    }

    private static ReceivedReport ReadReport(scoped ref Utf8JsonReader reader, out string? fault)
    {
        StrictJson.Expect(ref reader, JsonTokenType.StartObject, "a report must be an object");
        bool hasAction = false, hasPolicy = false, hasEntry = false, isRemoval = false;
        Cidr cidr = default;
        string tag = string.Empty;
        fault = null;
        while (true)
        {
            StrictJson.Next(ref reader);
            if (reader.TokenType == JsonTokenType.EndObject)
            {
                break;
            }

            if (reader.ValueTextEquals("action"u8))
            {
                StrictJson.Once(ref hasAction, "action");
                ReadOnlySpan<byte> action = ReadText(ref reader, "action");
                isRemoval = action.SequenceEqual("remove"u8);
                fault ??= isRemoval || action.SequenceEqual("add"u8) ? null : "action must be \"add\" or \"remove\"";
            }
            else if (reader.ValueTextEquals("policy"u8))
            {
                StrictJson.Once(ref hasPolicy, "policy");
                bool isPolicy = Policies.TryParse(ReadText(ref reader, "policy"), out _);
                fault ??= isPolicy ? null : "policy must be \"drop\" or \"ignore\"";
            }
            else if (reader.ValueTextEquals("entry"u8))
            {
                StrictJson.Once(ref hasEntry, "entry");
                StrictJson.Next(ref reader);
                ReadEntry(ref reader, out cidr, out tag, ref fault);
            }
            else
            {
                StrictJson.Next(ref reader);
                StrictJson.Skip(ref reader);
            }
        }

        StrictJson.Required(hasAction, "action");
        StrictJson.Required(hasPolicy, "policy");
        StrictJson.Required(hasEntry, "entry");
        return new ReceivedReport(isRemoval, cidr, tag);
    }

    private static void ReadEntry(scoped ref Utf8JsonReader reader, out Cidr cidr, out string tag, ref string? fault)
    {
        StrictJson.Expect(ref reader, JsonTokenType.StartObject, "entry must be an object");
        bool hasCidr = false, hasTag = false;
        cidr = default;
        tag = string.Empty;
        while (true)
        {
            StrictJson.Next(ref reader);
            if (reader.TokenType == JsonTokenType.EndObject)
            {
                break;
            }

            if (reader.ValueTextEquals("cidr"u8))
            {
                StrictJson.Once(ref hasCidr, "entry.cidr");
                CidrFault bad = Cidr.TryParse(ReadText(ref reader, "entry.cidr"), out cidr);
                fault ??= bad == CidrFault.None ? null : $"entry.cidr: {bad.Explain()}";
            }
            else if (reader.ValueTextEquals("tag"u8))
            {
                StrictJson.Once(ref hasTag, "entry.tag");
                StrictJson.Next(ref reader);
                ReadOnlySpan<byte> text = reader.TokenType == JsonTokenType.Null ? [] : StrictJson.Text(ref reader, "entry.tag");
                fault ??= TagRule.Fault(text) is { } bad ? $"entry.tag: {bad}" : null;
                tag = fault is null ? Encoding.UTF8.GetString(text) : string.Empty;
            }
            else
            {
                StrictJson.Next(ref reader);
                StrictJson.Skip(ref reader);
            }
        }

        StrictJson.Required(hasCidr, "entry.cidr");
    }

    private static ReadOnlySpan<byte> ReadText(scoped ref Utf8JsonReader reader, string name)
    {
        StrictJson.Next(ref reader);
        return StrictJson.Text(ref reader, name);
    }
}
