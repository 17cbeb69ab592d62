using System.Text;
using System.Text.Json;
using Couic.Reporting;

namespace Couic.Tests.Reporting;

/// <summary>Keeps what is posted and answers what the test says.</summary>
internal sealed class StubTransport : IReportTransport
{
    public List<string> Bodies { get; } = [];

    /// <summary>Statuses of the responses, in order; 200 when they are used up. 0 means no response.</summary>
    public Queue<int> Answers { get; } = new();

    /// <summary>Decides instead, when set.</summary>
    public Func<string, PostAnswer>? Answer { get; set; }

    public ValueTask<PostAnswer> PostAsync(Uri target, ReadOnlyMemory<byte> json, CancellationToken cancel)
    {
        string body = Encoding.UTF8.GetString(json.Span);
        Bodies.Add(body);
        if (cancel.IsCancellationRequested)
        {
            return ValueTask.FromResult(new PostAnswer(0, "stopped"));
        }

        PostAnswer answer = Answer?.Invoke(body)
            ?? (Answers.TryDequeue(out int status) ? new PostAnswer(status, status == 0 ? "connection refused" : $"status {status}") : new PostAnswer(200, ""));
        return ValueTask.FromResult(answer);
    }

    /// <summary>The CIDRs of one body, in order.</summary>
    public static List<string> Cidrs(string body) =>
        [.. JsonDocument.Parse(body).RootElement.EnumerateArray().Select(r => r.GetProperty("entry").GetProperty("cidr").GetString()!)];
}
