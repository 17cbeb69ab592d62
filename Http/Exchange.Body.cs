using Couic.Http.Protocol;

namespace Couic.Http;

internal sealed partial class Exchange
{
    /// <summary>The body, once <see cref="ReadBodyAsync"/> has said true; or the piece that <see cref="ReadSomeAsync"/> has.</summary>
    public ReadOnlySpan<byte> Body => _connection.Input.Body;

    /// <inheritdoc cref="Body"/>
    public ReadOnlyMemory<byte> BodyMemory => _connection.Input.BodyMemory;

    /// <summary>Whether all of the body is in <see cref="Body"/>.</summary>
    public bool IsBodyComplete => _connection.Body.IsComplete;

    /// <summary>The content type as it was sent; empty when there is none or more than one.</summary>
    public ReadOnlySpan<byte> SentContentType =>
        Head.ContentTypeCount == 1 ? Head.ContentType.Of(_connection.Input.Request) : [];

    /// <summary>Whether the body is announced as JSON; answered with 400 when it is not.</summary>
    public bool RequireJson()
    {
        if (MediaType.IsJson(SentContentType))
        {
            return true;
        }

        Fail(400, ErrorCode.BadRequest, "the content type must be application/json");
        return false;
    }

    /// <summary>Reads the whole body, up to <see cref="HttpLimits.MaxBodyBytes"/>. False: answered already.</summary>
    public ValueTask<bool> ReadBodyAsync()
    {
        if (Head.ContentLength <= Limits.MaxBodyBytes)
        {
            ParseFault fault = _connection.PumpBody();
            if (fault == ParseFault.None && IsBodyComplete && _connection.Input.BodyLength <= Limits.MaxBodyBytes)
            {
                return new ValueTask<bool>(true);
            }
        }

        return ReadBodySlowlyAsync();
    }

    /// <summary>
    /// Waits until there is more of the body than <see cref="Body"/> had, or its end. <see cref="ConsumeBody"/> says how much
    /// of it is done with.
    /// </summary>
    /// <returns>False: the body is malformed, broke off or is too slow; <see cref="BodyFault"/> says which.</returns>
    public async ValueTask<bool> ReadSomeAsync()
    {
        BodyFault = await _connection.ReadMoreBodyAsync(Body.Length);
        MustClose |= BodyFault != ParseFault.None;
        return BodyFault == ParseFault.None;
    }

    /// <summary>Why <see cref="ReadSomeAsync"/> failed.</summary>
    public ParseFault BodyFault { get; private set; }

    public void ConsumeBody(int count) => _connection.Input.ConsumeBody(count);

    private async ValueTask<bool> ReadBodySlowlyAsync()
    {
        if (Head.ContentLength > Limits.MaxBodyBytes)
        {
            return FailTooLarge();
        }

        while (true)
        {
            if (_connection.Input.BodyLength > Limits.MaxBodyBytes)
            {
                return FailTooLarge();
            }

            if (IsBodyComplete)
            {
                return true;
            }

            ParseFault fault = await _connection.ReadMoreBodyAsync(_connection.Input.BodyLength);
            if (fault != ParseFault.None)
            {
                Refuse(fault);
                return false;
            }
        }
    }

    private bool FailTooLarge()
    {
        Fail(413, ErrorCode.BadRequest, $"the body is larger than {Limits.MaxBodyBytes} bytes");
        return false;
    }
}
