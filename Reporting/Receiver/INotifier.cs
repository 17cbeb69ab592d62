using System.Buffers;

namespace Couic.Reporting.Receiver;

/// <summary>A kind of chat or service that summaries go to.</summary>
internal interface INotifier
{
    /// <summary>The word for it in the log.</summary>
    string Name { get; }

    /// <summary>Where it is posted to; secret but for <see cref="WebhookName"/>.</summary>
    Uri Target { get; }

    /// <summary>Writes the body of the post, as JSON.</summary>
    void Write(Summary summary, IBufferWriter<byte> body);
}
