using System.Globalization;
using System.Text.Json;
using Couic.Access;
using Couic.Http;
using Couic.Http.Json;
using Couic.Http.Protocol;
using Couic.Http.Routing;

namespace Couic.Reporting.Receiver;

/// <summary><c>POST /v1/reports/{secret}</c>: takes a batch as a whole or not at all.</summary>
internal sealed class ReportsEndpoint(Token secret, Tally tally)
{
    /// <summary>Faults that one answer names.</summary>
    private const int MaxFaults = 100;

    public void Register(Router router) => router.Map(Verb.Post, "/v1/reports/{secret}", null, PostAsync);

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
                tally.Add(reports);
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
